// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {RedemptionManager} from "../src/RedemptionManager.sol";
import {Vault} from "../src/Vault.sol";
import {InsufficientShares, ZeroAddress, ZeroAmount} from "../src/libraries/Errors.sol";
import {Channel} from "../src/libraries/Types.sol";
import {FundFixture} from "./support/FundFixture.sol";

contract RedemptionTest is FundFixture {
    uint256 private constant PENDING = 0;
    uint256 private constant PENDING_APPROVAL = 1;
    uint256 private constant APPROVED = 2;
    uint256 private constant SETTLED = 3;
    uint256 private constant CANCELLED = 4;

    function setUp() public override {
        super.setUp();
        fillFund(20);
    }

    // ------------------------------------------------------------------------------------- channels, approvals

    function test_BelowTwoPercentIsStandardAndFromTwoPercentOnScheduled() public view {
        vm.assertTrue(manager.previewRedemption(400_000e18 - 1).channel == Channel.STANDARD);
        vm.assertTrue(manager.previewRedemption(400_000e18).channel == Channel.SCHEDULED);
    }

    function test_TwoPercentAreOfNetAssetsSoOpenRequestsLowerTheBar() public {
        request(alice, 4 * MILLION);
        vm.assertTrue(manager.previewRedemption(320_000e18).channel == Channel.SCHEDULED);
        vm.assertTrue(manager.previewRedemption(320_000e18 - 1).channel == Channel.STANDARD);
    }

    function test_StandardNeedsApprovalFrom100000On() public view {
        vm.assertFalse(manager.previewRedemption(100_000e18 - 1).requiresApproval);
        vm.assertTrue(manager.previewRedemption(100_000e18).requiresApproval);
    }

    function test_StandardNeedsApprovalFromFivePercentOfLayers1And2On() public {
        buy(credit, MILLION);
        setPrice(market, 0.125e18); // L1 1M in bills, L2 0.6M: 5 % of 1.6M
        vm.assertFalse(manager.previewRedemption(_sharesFor(80_000e18 - 1e6)).requiresApproval);
        vm.assertTrue(manager.previewRedemption(_sharesFor(80_000e18 + 1e6)).requiresApproval);
    }

    function test_EmergencyNeedsApprovalAbove30000() public view {
        vm.assertFalse(manager.previewEmergencyRedemption(30_000e18).requiresApproval);
        vm.assertTrue(manager.previewEmergencyRedemption(30_000e18 + 1).requiresApproval);
    }

    function test_EmergencyNeedsApprovalAboveTenPercentOfLayer1() public {
        buy(credit, MILLION);
        setPrice(bills, 0.2e18); // L1 200 000
        vm.assertFalse(manager.previewEmergencyRedemption(_sharesFor(20_000e18 - 1e6)).requiresApproval);
        vm.assertTrue(manager.previewEmergencyRedemption(_sharesFor(20_000e18 + 1e6)).requiresApproval);
    }

    function test_ScheduledNeverNeedsApproval() public {
        uint256 id = request(alice, 10 * MILLION);
        vm.assertFalse(manager.getRedemptionRequest(id).requiresApproval);
        vm.assertEq(status(id), PENDING);
    }

    function test_EmergencyIsOnlyOpenInEmergencyMode() public {
        vm.prank(alice);
        vm.expectRevert(RedemptionManager.EmergencyModeNotActive.selector);
        manager.requestEmergencyRedemption(1e18, alice);
        setEmergency(true);
        requestEmergency(alice, 1e18);
    }

    // ----------------------------------------------------------------------------------------------- requesting

    function test_ARequestFixesItsAmountAndIsOwedFromThenOn() public {
        setPrice(credit, 110e18);
        uint256 nav = vault.sharePrice();
        uint256 id = request(alice, 50_000e18);
        RedemptionManager.RedemptionRequest memory made = manager.getRedemptionRequest(id);
        vm.assertEq(made.lockedNav, nav);
        vm.assertEq(made.grossAmount, 50_000e18 * nav / 1e18);
        vm.assertEq(vault.totalRedemptionLiability(), made.grossAmount);
        vm.assertApproxEqAbs(vault.sharePrice(), nav, 1);

        setPrice(credit, 50e18);
        vm.assertEq(manager.getRedemptionRequest(id).grossAmount, made.grossAmount);
    }

    function test_ARequestMovesTheSharesToTheVaultAndSaysWhatItIs() public {
        vm.expectEmit(address(vault));
        emit IERC20.Transfer(alice, address(vault), 1_000e18);
        vm.expectEmit(address(vault));
        emit Vault.SharesLocked(alice, 1_000e18);
        vm.expectEmit(address(manager));
        emit RedemptionManager.RedemptionRequested(
            1, alice, bob, 1_000e18, 1_000e18, 1e18, Channel.STANDARD, false, START + 7 days, 0
        );
        vm.prank(alice);
        manager.requestRedemption(1_000e18, bob);
        vm.assertEq(vault.lockedSharesOf(alice), 1_000e18);
        vm.assertEq(vault.totalLockedShares(), 1_000e18);
        vm.assertEq(vault.totalSupply(), 20 * MILLION);
    }

    function test_ARequestAwaitingApprovalHasNoDateAndIsOwedAllTheSame() public {
        uint256 id = request(alice, 150_000e18);
        vm.assertEq(manager.getRedemptionRequest(id).settlementTime, 0);
        vm.assertEq(status(id), PENDING_APPROVAL);
        vm.assertEq(vault.totalRedemptionLiability(), 150_000e18);
        vm.assertEq(manager.getTotalPendingApprovalAmount(), 150_000e18);
        vm.assertEq(manager.getPendingApprovals().length, 1);
        vm.assertEq(manager.getPendingApprovals()[0], id);
    }

    function test_AScheduledRequestNamesItsWindowAndTheEstimate() public {
        uint256 id = request(alice, 500_000e18);
        RedemptionManager.RedemptionRequest memory made = manager.getRedemptionRequest(id);
        vm.assertEq(made.windowId, 202603);
        vm.assertEq(made.settlementTime, 1_772_323_200); // 1 March 2026
        vm.assertTrue(made.channel == Channel.SCHEDULED);
    }

    function test_AScheduledRequestLeavesFifteenDaysOfNotice() public {
        vm.warp(1_772_323_200 - 15 days);
        vm.assertEq(manager.getRedemptionRequest(request(alice, 500_000e18)).windowId, 202603);
        skip(1);
        vm.assertEq(manager.getRedemptionRequest(request(alice, 500_000e18)).windowId, 202606);
    }

    function test_AScheduledRequestNeedsAScheduler() public {
        RedemptionManager bare = RedemptionManager(deploy("RedemptionManager", abi.encode(vault, admin)));
        vm.prank(alice);
        vm.expectRevert(RedemptionManager.SchedulerNotConfigured.selector);
        bare.requestRedemption(500_000e18, alice);
    }

    function test_RequestsOfNothingToNobodyOrBeyondTheBalanceAreRefused() public {
        vm.startPrank(bob);
        vm.expectRevert(ZeroAmount.selector);
        manager.requestRedemption(0, bob);
        vm.expectRevert(ZeroAddress.selector);
        manager.requestRedemption(1, address(0));
        vm.expectRevert(abi.encodeWithSelector(InsufficientShares.selector, 0, 1));
        manager.requestRedemption(1, bob);
    }

    function test_APauseStopsNewRequests() public {
        vm.prank(admin);
        manager.pause();
        vm.prank(alice);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        manager.requestRedemption(1e18, alice);
        vm.assertFalse(manager.previewRedemption(1e18).canProcess);
    }

    // ------------------------------------------------------------------------------------ approving, rejecting

    function test_AnApprovalStartsTheSevenDays() public {
        uint256 id = request(alice, 150_000e18);
        skip(2 days);
        vm.expectEmit(address(manager));
        emit RedemptionManager.RedemptionApproved(id, approver, block.timestamp + 7 days);
        approve(id);
        vm.assertEq(status(id), APPROVED);
        vm.assertEq(manager.getRedemptionRequest(id).settlementTime, START + 9 days);
        vm.assertEq(manager.getTotalPendingApprovalAmount(), 0);
        vm.assertEq(manager.getPendingApprovals().length, 0);
    }

    function test_AnApprovalOfAnEmergencyStartsTheOneDay() public {
        setEmergency(true);
        uint256 id = requestEmergency(alice, 31_000e18);
        skip(1 hours);
        approve(id);
        vm.assertEq(manager.getRedemptionRequest(id).settlementTime, START + 1 hours + 1 days);
    }

    function test_ARejectionReturnsTheSharesAndEndsAsCancelled() public {
        uint256 id = request(alice, 150_000e18);
        vm.expectEmit(address(vault));
        emit IERC20.Transfer(address(vault), alice, 150_000e18);
        vm.expectEmit(address(vault));
        emit Vault.SharesUnlocked(alice, 150_000e18);
        vm.expectEmit(address(manager));
        emit RedemptionManager.RedemptionRejected(id, approver, "no");
        vm.prank(approver);
        manager.rejectRedemption(id, "no");
        _assertUndone(id);
    }

    function test_OnlyVipApproversDecide() public {
        uint256 id = request(alice, 150_000e18);
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, admin, manager.VIP_APPROVER_ROLE()
        );
        vm.startPrank(admin);
        vm.expectRevert(refusal);
        manager.approveRedemption(id);
        vm.expectRevert(refusal);
        manager.rejectRedemption(id, "");
    }

    function test_OnlyWhatAwaitsApprovalCanBeDecided() public {
        uint256 id = request(alice, 1_000e18);
        vm.startPrank(approver);
        vm.expectRevert(abi.encodeWithSelector(RedemptionManager.NotPendingApproval.selector, id));
        manager.approveRedemption(id);
        vm.expectRevert(abi.encodeWithSelector(RedemptionManager.RequestNotFound.selector, 99));
        manager.rejectRedemption(99, "");
    }

    // ----------------------------------------------------------------------------------------------- cancelling

    function test_TheOwnerMayCancelBeforeApprovalAndBeforeSettlement() public {
        uint256 pending = request(alice, 1_000e18);
        vm.expectEmit(address(manager));
        emit RedemptionManager.RedemptionCancelled(pending, alice);
        vm.prank(alice);
        manager.cancelRedemption(pending);
        _assertUndone(pending);

        uint256 awaiting = request(alice, 150_000e18);
        vm.prank(alice);
        manager.cancelRedemption(awaiting);
        _assertUndone(awaiting);
        vm.assertEq(manager.getPendingApprovals().length, 0);
    }

    function test_AnApprovedRequestCannotBeCancelled() public {
        uint256 id = request(alice, 150_000e18);
        approve(id);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(RedemptionManager.InvalidRequestStatus.selector, id));
        manager.cancelRedemption(id);
    }

    function test_OnlyTheOwnerCancels() public {
        uint256 id = request(alice, 1_000e18);
        vm.prank(bob);
        vm.expectRevert(RedemptionManager.NotRequestOwner.selector);
        manager.cancelRedemption(id);
    }

    // ------------------------------------------------------------------------------------------------- settling

    function test_AnyoneMaySettleWhenDueAndNotASecondEarlier() public {
        uint256 id = request(alice, 1_000e18);
        skip(7 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                RedemptionManager.SettlementTimeNotReached.selector, START + 7 days, START + 7 days - 1
            )
        );
        manager.settleRedemption(id);
        skip(1);
        vm.prank(anyone);
        manager.settleRedemption(id);
        vm.assertEq(status(id), SETTLED);
    }

    function test_SettlementBurnsPaysTheReceiverAndKeepsTheFee() public {
        vm.prank(alice);
        uint256 id = manager.requestRedemption(60_000e18, bob);
        skip(7 days);
        vm.expectEmit(address(vault));
        emit IERC20.Transfer(address(vault), address(0), 60_000e18);
        vm.expectEmit(address(vault));
        emit Vault.SharesBurned(alice, 60_000e18);
        vm.expectEmit(address(vault));
        emit Vault.RedemptionFeeAdded(180e18);
        vm.expectEmit(address(usdt));
        emit IERC20.Transfer(address(vault), bob, 59_820e18);
        vm.expectEmit(address(manager));
        emit RedemptionManager.RedemptionSettled(id, alice, bob, 60_000e18, 180e18, 59_820e18, Channel.STANDARD);
        manager.settleRedemption(id);
        vm.assertEq(usdt.balanceOf(bob), 59_820e18);
        vm.assertEq(vault.withdrawableRedemptionFees(), 180e18);
        vm.assertEq(vault.totalRedemptionLiability(), 0);
        vm.assertEq(vault.totalLockedShares(), 0);
        vm.assertEq(vault.totalSupply(), 19_940_000e18);
        vm.assertEq(vault.sharePrice(), 1e18);
    }

    function test_NothingSettlesTwiceOrWithoutItsApproval() public {
        uint256 awaiting = request(alice, 150_000e18);
        skip(30 days);
        vm.expectRevert(abi.encodeWithSelector(RedemptionManager.InvalidRequestStatus.selector, awaiting));
        manager.settleRedemption(awaiting);
        approve(awaiting);
        skip(7 days);
        manager.settleRedemption(awaiting);
        vm.expectRevert(abi.encodeWithSelector(RedemptionManager.InvalidRequestStatus.selector, awaiting));
        manager.settleRedemption(awaiting);
    }

    function test_AScheduledRequestSettlesWhenTheSchedulerSaysSoNow() public {
        uint256 id = request(alice, 500_000e18);
        uint256 promised = manager.getRedemptionRequest(id).settlementTime;
        vm.prank(admin);
        scheduler.moveWindow(202603, promised + 3 days);
        vm.warp(promised);
        vm.expectRevert(
            abi.encodeWithSelector(RedemptionManager.SettlementTimeNotReached.selector, promised + 3 days, promised)
        );
        manager.settleScheduledRedemption(id);
        vm.warp(promised + 3 days);
        manager.settleScheduledRedemption(id);
        vm.assertEq(status(id), SETTLED);
    }

    function test_EachChannelHasItsOwnSettlement() public {
        uint256 scheduled = request(alice, 500_000e18);
        uint256 standard = request(alice, 1_000e18);
        skip(100 days);
        vm.expectRevert(abi.encodeWithSelector(RedemptionManager.InvalidRequestStatus.selector, scheduled));
        manager.settleRedemption(scheduled);
        vm.expectRevert(abi.encodeWithSelector(RedemptionManager.InvalidRequestStatus.selector, standard));
        manager.settleScheduledRedemption(standard);
    }

    function test_AnUnknownRequestIsNotFound() public {
        bytes memory notFound = abi.encodeWithSelector(RedemptionManager.RequestNotFound.selector, 7);
        vm.expectRevert(notFound);
        manager.settleRedemption(7);
        vm.expectRevert(notFound);
        manager.cancelRedemption(7);
        vm.expectRevert(notFound);
        manager.getRedemptionRequest(7);
    }

    function test_RequestsAreCountedFromOneAndListedByOwner() public {
        request(alice, 1_000e18);
        deposit(bob, 10_000e18);
        uint256 second = request(bob, 1_000e18);
        uint256 third = request(alice, 1_000e18);
        vm.assertEq(manager.getRequestCount(), 3);
        vm.assertEq(manager.getUserRedemptions(alice).length, 2);
        vm.assertEq(manager.getUserRedemptions(alice)[1], third);
        vm.assertEq(manager.getUserRedemptions(bob)[0], second);
    }

    // ------------------------------------------------------------------------------------------------- previews

    function test_APreviewSaysWhatTheRequestThenBecomes() public {
        RedemptionManager.RedemptionPreview memory preview = manager.previewRedemption(500_000e18);
        RedemptionManager.RedemptionRequest memory made = manager.getRedemptionRequest(request(alice, 500_000e18));
        vm.assertTrue(preview.canProcess);
        vm.assertEq(preview.grossAmount, made.grossAmount);
        vm.assertEq(preview.fee, made.estimatedFee);
        vm.assertEq(preview.netAmount, preview.grossAmount - preview.fee);
        vm.assertEq(preview.windowId, made.windowId);
        vm.assertEq(preview.estimatedSettlementTime, made.settlementTime);
        vm.assertEq(preview.settlementDelay, made.settlementTime - block.timestamp);
    }

    function test_APreviewForSomeoneKnowsTheirShares() public view {
        vm.assertFalse(manager.previewRedemptionFor(bob, 1e18).canProcess);
        vm.assertEq(manager.previewRedemptionFor(bob, 1e18).channelReason, "Insufficient shares");
        vm.assertTrue(manager.previewRedemptionFor(alice, 1e18).canProcess);
    }

    function test_AnEmergencyPreviewSaysWhenTheModeIsOff() public {
        vm.assertFalse(manager.previewEmergencyRedemption(1e18).canProcess);
        setEmergency(true);
        RedemptionManager.RedemptionPreview memory preview = manager.previewEmergencyRedemption(1e18);
        vm.assertTrue(preview.canProcess);
        vm.assertEq(preview.settlementDelay, 1 days);
    }

    // -------------------------------------------------------------------------------------------------- helpers

    function _assertUndone(uint256 id) private view {
        vm.assertEq(status(id), CANCELLED);
        vm.assertEq(vault.totalRedemptionLiability(), 0);
        vm.assertEq(vault.totalLockedShares(), 0);
        vm.assertEq(vault.lockedSharesOf(alice), 0);
        vm.assertEq(vault.balanceOf(alice), 20 * MILLION);
    }

    /// Shares worth so much at the present NAV.
    function _sharesFor(uint256 amount) private view returns (uint256) {
        return amount * 1e18 / vault.sharePrice();
    }
}
