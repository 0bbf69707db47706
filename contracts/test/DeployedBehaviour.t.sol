// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {AssetController} from "../src/AssetController.sol";
import {RedemptionManager} from "../src/RedemptionManager.sol";
import {Vault} from "../src/Vault.sol";
import {InsufficientShares} from "../src/libraries/Errors.sol";
import {PurchaseMethod, Tier} from "../src/libraries/Types.sol";
import {TestToken} from "../src/testing/TestToken.sol";
import {FundFixture} from "./support/FundFixture.sol";
import {Vm} from "./support/Test.sol";

/// A swap helper as one would naively write it: it pulls from its caller.
contract CallerPullingSwapHelper {
    function buyRWAAsset(address tokenIn, address, uint256 amountIn, uint256) external returns (uint256) {
        require(IERC20(tokenIn).transferFrom(msg.sender, address(this), amountIn), "transfer failed");
        return amountIn;
    }
}

/// What was measured on a deployed fund and would not be guessed: fourteen behaviours, numbered as in the README.
contract DeployedBehaviourTest is FundFixture {
    // ------------------------------------------------------------- 1: deposits mint at totalAssets ÷ totalSupply

    function test_01_ADepositOfFiveMillionWithOpenRedemptionsCostsHolders151Bps() public {
        fillFund(20);
        request(alice, 1_350_000e18);
        vm.assertEq(vault.sharePrice(), 1e18);
        uint256 shares = deposit(bob, 5 * MILLION);
        vm.assertEq(shares / 1e18, 5_361_930); // 5M × 20 ÷ 18.65
        vm.assertEq((1e18 - vault.sharePrice()) / 1e12, 15_072); // 1.51 %
    }

    function test_01_WithoutOpenRedemptionsADepositLeavesNavAlone() public {
        fillFund(20);
        deposit(bob, 5 * MILLION);
        vm.assertEq(vault.sharePrice(), 1e18);
    }

    // ------------------------------------------------------------------------- 2: NavUpdated says old = new

    function test_02_NavUpdatedAlwaysHasOldEqualToNew() public {
        fillFund(20);
        vault.updateNav();
        setPrice(credit, 110e18);
        skip(1 hours);
        uint256 nav = vault.sharePrice();
        vm.assertEq(nav, 1.04e18);
        vm.expectEmit(address(vault));
        emit Vault.NavUpdated(nav, nav, block.timestamp);
        vault.updateNav();
        vm.assertEq(vault.lastNavUpdate(), block.timestamp);
    }

    function test_02_APriceMoveEmitsNothingFromTheFund() public {
        fillFund(20);
        vm.recordLogs();
        setPrice(credit, 110e18);
        vm.assertEq(_fundLogs().length, 0);
    }

    // ------------------------------------------------------------------------------------- 3: the value cache

    function test_03_AfterRefreshCacheTotalsAreFiveMinutesOldAndLayersFresh() public {
        fillFund(20);
        vm.prank(anyone);
        controller.refreshCache();
        setPrice(credit, 110e18);
        vm.assertEq(vault.totalAssets(), 20 * MILLION);
        vm.assertEq(vault.sharePrice(), 1e18);
        vm.assertEq(controller.calculateAssetValue(), 19 * MILLION);
        Vault.VaultState memory state = vault.getVaultState();
        vm.assertEq(state.totalAssets, 20 * MILLION);
        vm.assertEq(state.sharePrice, 1e18);
        vm.assertEq(state.layer3Value, 12_800_000e18);
        vm.assertEq(vault.getLayer3Value(), 12_800_000e18);

        skip(5 minutes - 1);
        vm.assertEq(vault.totalAssets(), 20 * MILLION);
        skip(1);
        vm.assertEq(vault.totalAssets(), 20_800_000e18);
    }

    function test_03_WithoutRefreshCacheTotalsAreFresh() public {
        fillFund(20);
        setPrice(credit, 110e18);
        vm.assertEq(vault.totalAssets(), 20_800_000e18);
    }

    // ------------------------------------------------------------------------- 4: the mark and the whole of L3

    function test_04_BuyingTwelveMillionOfLayer3LetsAnyoneAccrue1200000() public {
        deposit(alice, 20 * MILLION);
        vm.assertEq(controller.layer3HighWaterMark(), 0);
        buy(credit, 12 * MILLION);
        vm.expectEmit(address(controller));
        emit AssetController.PerformanceFeeCollected(1_200_000e18, 12 * MILLION, 12 * MILLION);
        vm.prank(anyone);
        controller.accruePerformanceFee();
        vm.assertEq(controller.accumulatedPerformanceFees(), 1_200_000e18);
    }

    function test_04_SettingTheMarkWithThePurchasePreventsIt() public {
        deposit(alice, 20 * MILLION);
        buy(credit, 12 * MILLION);
        vm.prank(admin);
        controller.setLayer3HighWaterMark(12 * MILLION);
        controller.accruePerformanceFee();
        vm.assertEq(controller.accumulatedPerformanceFees(), 0);
    }

    // ------------------------------------------------------------------------------------- 5: OTC in transit

    function test_05_PayingAnOtcOrderLowersGrossAssetsUntilDelivery() public {
        fillFund(20);
        vm.startPrank(rebalancer);
        uint256 id = controller.createOTCOrder(address(estate), 500_000e18, 50_000e18, address(counterparty), 7 days);
        vm.assertEq(vault.grossAssets(), 20 * MILLION);
        controller.executeOTCPayment(id);
        vm.assertEq(vault.grossAssets(), 19_500_000e18);
        counterparty.deliver(estate, address(otc), 50_000e18);
        controller.confirmOTCDelivery(id, 50_000e18);
        vm.assertEq(vault.grossAssets(), 20 * MILLION);
    }

    // ------------------------------------------------------------------------ 6: without an event of their own

    function test_06_CollectingFeesLeavesOnlyTheAccrualsAndATransfer() public {
        fillFund(20);
        skip(30 days);
        vm.startPrank(admin);
        controller.setLayer3HighWaterMark(11 * MILLION);
        vm.recordLogs();
        controller.collectFees();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3);
        _assertLog(logs[0], address(controller), AssetController.ManagementFeeCollected.selector);
        _assertLog(logs[1], address(controller), AssetController.PerformanceFeeCollected.selector);
        _assertLog(logs[2], address(usdt), IERC20.Transfer.selector);
    }

    function test_06_AnEmergencyWithdrawalLeavesOnlyATransfer() public {
        fillFund(20);
        vm.recordLogs();
        vm.prank(admin);
        vault.emergencyWithdraw(address(usdt), treasury, MILLION);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1);
        _assertLog(logs[0], address(usdt), IERC20.Transfer.selector);
    }

    function test_06_TheLiabilityChangesWithoutALogOfItsOwn() public {
        fillFund(20);
        vm.recordLogs();
        request(alice, 1_000e18);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(vault.totalRedemptionLiability(), 1_000e18);
        vm.assertEq(logs.length, 3);
        _assertLog(logs[0], address(vault), IERC20.Transfer.selector);
        _assertLog(logs[1], address(vault), Vault.SharesLocked.selector);
        _assertLog(logs[2], address(manager), RedemptionManager.RedemptionRequested.selector);
    }

    function test_06_PurchaseConfigMarkAndDefaultSlippageChangeInSilence() public {
        vm.recordLogs();
        vm.startPrank(admin);
        controller.setAssetPurchaseConfig(address(market), PurchaseMethod.SWAP, 50, 1_000e18, 0, 0);
        controller.setLayer3HighWaterMark(MILLION);
        controller.setDefaultSwapSlippage(200);
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.assertEq(controller.defaultSwapSlippage(), 200);
    }

    function test_06_TheInitialLayerConfigsHaveNoEvent() public {
        vm.recordLogs();
        deploy("AssetController", abi.encode(vault, admin));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            vm.assertTrue(logs[i].topics[0] == IAccessControl.RoleGranted.selector);
        }
    }

    // ------------------------------------------------------------------------------ 7: success without effect

    function test_07_APurchaseBelowTheMinimumSucceedsAndBuysNothing() public {
        fillFund(20);
        uint256 cash = vault.getLayer1Cash();
        vm.expectEmit(address(controller));
        emit AssetController.AssetPurchased(address(estate), Tier.TIER_3_HYD, 0, 0);
        vm.assertEq(buy(estate, 10_000e18 - 1), 0);
        vm.assertEq(vault.getLayer1Cash(), cash);
    }

    function test_07_AWaterfallWithNothingToSellSucceedsWithNothing() public {
        deposit(alice, 20 * MILLION);
        vm.prank(rebalancer);
        vm.assertEq(controller.executeWaterfallLiquidation(MILLION, Tier.TIER_2_MMF), 0);
    }

    function test_07_AllocatingAndRebalancingMayDoNothing() public {
        fillFund(20);
        vm.recordLogs();
        vm.startPrank(rebalancer);
        controller.updateAssetAllocation(address(market), 0);
        vm.assertEq(vm.getRecordedLogs().length, 1);
        vm.assertEq(controller.allocateToLayer(Tier.TIER_2_MMF, 1_000e18), 0);
        controller.rebalanceBuffer();
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    // -------------------------------------------------------------------------- 8: one purchase, how many logs

    function test_08_PurchaseAssetLogsRoutedAndPurchased() public {
        deposit(alice, 20 * MILLION);
        vm.recordLogs();
        buy(market, 1_000e18);
        _assertPurchaseLogs({routed: 1, purchased: 1});
    }

    function test_08_AllocateToLayerLogsOnlyRouted() public {
        deposit(alice, 20 * MILLION);
        vm.recordLogs();
        vm.prank(rebalancer);
        controller.allocateToLayer(Tier.TIER_3_HYD, MILLION);
        _assertPurchaseLogs({routed: 2, purchased: 0});
    }

    // ---------------------------------------------------------------- 9: locked shares are subtracted twice

    function test_09_AfterRedeemingHalfOneMoreShareIsRefused() public {
        deposit(alice, 20 * MILLION);
        request(alice, 10 * MILLION);
        vm.assertEq(vault.balanceOf(alice), 10 * MILLION);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(InsufficientShares.selector, 0, 1e18));
        manager.requestRedemption(1e18, alice);
        vm.assertFalse(manager.previewRedemptionFor(alice, 1e18).canProcess);
    }

    function test_09_AfterRedeemingMoreThanHalfItIsRefusedTheSameWay() public {
        deposit(alice, 20 * MILLION);
        request(alice, 12 * MILLION);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(InsufficientShares.selector, 0, 1e18));
        manager.requestRedemption(1e18, alice);
    }

    // ------------------------------------------------------------------------------- 10: what a pause leaves

    function test_10_APausedControllerStillLiquidates() public {
        fillFund(20);
        vm.prank(admin);
        controller.pause();
        vm.startPrank(rebalancer);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        controller.purchaseAsset(address(market), 1_000e18);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        controller.allocateToLayer(Tier.TIER_2_MMF, 1_000e18);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        controller.redeemAsset(address(credit), 1e8);
        vm.assertGe(controller.executeWaterfallLiquidation(1_000e18, Tier.TIER_2_MMF), 1_000e18);
    }

    function test_10_APausedManagerStillTakesEmergencyRequestsAndSettles() public {
        fillFund(20);
        uint256 standard = request(alice, 1_000e18);
        setEmergency(true);
        vm.prank(admin);
        manager.pause();
        uint256 emergency = requestEmergency(alice, 1_000e18);
        skip(7 days);
        manager.settleRedemption(standard);
        manager.settleRedemption(emergency);
        vm.assertEq(status(standard) + status(emergency), 6);
    }

    // ------------------------------------------------------------------------------ 11: who needs which role

    function test_11_WithoutRebalancerRoleTheManagerCannotSettleThroughTheWaterfall() public {
        fillFund(20);
        bytes32 role = controller.REBALANCER_ROLE();
        vm.prank(admin);
        controller.revokeRole(role, address(manager));
        uint256 id = _scheduledAndDue(2 * MILLION);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(manager), role)
        );
        manager.settleScheduledRedemption(id);
    }

    function test_11_TheWaterfallOfASettlementSellsLayer1YieldAndLayer2Only() public {
        fillFund(20);
        manager.settleScheduledRedemption(_scheduledAndDue(5 * MILLION));
        vm.assertEq(vault.getLayer1YieldAssets(), 0);
        vm.assertLt(vault.getLayer2Liquidity(), 6 * MILLION);
        vm.assertEq(vault.getLayer3Value(), 12 * MILLION);
    }

    function test_11_WithoutOperatorRoleTheControllerCannotBuy() public {
        deposit(alice, 20 * MILLION);
        vm.prank(admin);
        vault.revokeOperator(address(controller));
        vm.prank(rebalancer);
        vm.expectRevert(Vault.OnlyOperator.selector);
        controller.purchaseAsset(address(market), 1_000e18);
    }

    // ------------------------------------------------------------------- 12: fee info, and batches from id 1

    function test_12_RedemptionFeeInfoAlwaysReportsNothingWithdrawn() public {
        fillFund(20);
        uint256 id = request(alice, 60_000e18);
        skip(7 days);
        manager.settleRedemption(id);
        vm.prank(admin);
        controller.withdrawRedemptionFees(100e18);
        (uint256 total, uint256 withdrawable, uint256 withdrawn) = controller.getRedemptionFeeInfo();
        vm.assertEq(total, 180e18);
        vm.assertEq(withdrawable, 80e18);
        vm.assertEq(withdrawn, 0);
    }

    function test_12_ABatchScansFromTheFirstAndSkipsScheduledAndFailing() public {
        fillFund(20);
        uint256 scheduled = request(alice, 400_000e18);
        uint256 first = request(alice, 1_000e18);
        uint256 second = request(alice, 1_000e18);
        skip(60 days);
        uint256 notDue = request(alice, 1_000e18);
        vm.assertEq(manager.batchSettleRedemptions(1), 1);
        vm.assertEq(status(first), 3);
        vm.assertEq(status(second), 0);
        vm.assertEq(manager.batchSettleRedemptions(10), 1);
        vm.assertEq(status(second), 3);
        vm.assertEq(status(scheduled) + status(notDue), 0);
    }

    function test_12_ABatchPassesOverARequestThatReverts() public {
        fillFund(20);
        uint256 unfunded = request(alice, 50_000e18);
        uint256 funded = request(alice, 1_000e18);
        skip(7 days);
        vm.startPrank(admin);
        vault.emergencyWithdraw(address(usdt), treasury, usdt.balanceOf(address(vault)) - 2_000e18);
        vault.emergencyWithdraw(address(bills), treasury, bills.balanceOf(address(vault)));
        vault.emergencyWithdraw(address(market), treasury, market.balanceOf(address(vault)));
        vm.stopPrank();
        vm.assertEq(manager.batchSettleRedemptions(10), 1);
        vm.assertEq(status(unfunded), 0);
        vm.assertEq(status(funded), 3);
    }

    // -------------------------------------------------------- 13: swaps and adapters move the VAULT's tokens

    function test_13_ASwapHelperThatPullsFromItsCallerFails() public {
        deposit(alice, 20 * MILLION);
        CallerPullingSwapHelper naive = new CallerPullingSwapHelper();
        vm.prank(admin);
        controller.setSwapHelper(address(naive));
        vm.prank(rebalancer);
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        controller.purchaseAsset(address(market), 1_000e18);
    }

    function test_13_SwapsAndAdaptersPullFromTheVaultAndPayIt() public {
        deposit(alice, 20 * MILLION);
        _assertMovesOnlyTheVaultsTokens(market);
        _assertMovesOnlyTheVaultsTokens(estate);
    }

    // ---------------------------------------------------------------------------------- 14: the size limit

    function test_14_TheAssetControllerFitsTheSizeLimit() public view {
        vm.assertLe(address(controller).code.length, 24_576);
        vm.assertGt(address(controller).code.length, 12_288);
    }

    // ------------------------------------------------------------------------------------------------- helpers

    function _assertMovesOnlyTheVaultsTokens(TestToken token) private {
        uint256 cash = usdt.balanceOf(address(vault));
        uint256 tokens = buy(token, 100_000e18);
        vm.assertEq(usdt.balanceOf(address(vault)), cash - 100_000e18);
        vm.assertEq(token.balanceOf(address(vault)), tokens);
        vm.assertEq(usdt.balanceOf(address(controller)) + token.balanceOf(address(controller)), 0);
        vm.prank(rebalancer);
        controller.redeemAsset(address(token), tokens);
        vm.assertEq(usdt.balanceOf(address(vault)), cash);
        vm.assertEq(token.balanceOf(address(vault)), 0);
    }

    function _assertPurchaseLogs(uint256 routed, uint256 purchased) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 routedSeen = 0;
        uint256 purchasedSeen = 0;
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == AssetController.PurchaseRouted.selector) routedSeen++;
            if (logs[i].topics[0] == AssetController.AssetPurchased.selector) purchasedSeen++;
        }
        vm.assertEq(routedSeen, routed);
        vm.assertEq(purchasedSeen, purchased);
    }

    function _assertLog(Vm.Log memory log, address emitter, bytes32 topic) private pure {
        vm.assertEq(log.emitter, emitter);
        vm.assertTrue(log.topics[0] == topic);
    }

    /// What the three contracts of the fund have logged since recording began.
    function _fundLogs() private returns (Vm.Log[] memory found) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 count = 0;
        for (uint256 i = 0; i < logs.length; i++) {
            address emitter = logs[i].emitter;
            if (emitter == address(vault) || emitter == address(manager) || emitter == address(controller)) {
                logs[count++] = logs[i];
            }
        }
        found = new Vm.Log[](count);
        for (uint256 i = 0; i < count; i++) {
            found[i] = logs[i];
        }
    }

    function _scheduledAndDue(uint256 shares) private returns (uint256 id) {
        id = request(alice, shares);
        vm.warp(manager.getRedemptionRequest(id).settlementTime);
    }
}
