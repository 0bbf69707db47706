// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {AssetController} from "../src/AssetController.sol";
import {Vault} from "../src/Vault.sol";
import {FundFixture} from "./support/FundFixture.sol";

/// Management, performance and redemption fees.
contract FeesTest is FundFixture {
    function setUp() public override {
        super.setUp();
        fillFund(20);
        vm.prank(admin);
        controller.setLayer3HighWaterMark(12 * MILLION);
    }

    function test_TheManagementFeeIsHalfAPercentAYear() public {
        skip(365 days);
        vm.expectEmit(address(controller));
        emit AssetController.ManagementFeeCollected(100_000e18, 20 * MILLION, 365 days);
        vm.prank(anyone);
        controller.accrueManagementFee();
        vm.assertEq(controller.accumulatedManagementFees(), 100_000e18);
        vm.assertEq(controller.lastFeeCollectionTime(), block.timestamp);
    }

    function test_TheManagementFeeIsOnLiabilitiesToo() public {
        request(alice, 10 * MILLION);
        skip(365 days);
        controller.accrueManagementFee();
        vm.assertEq(controller.accumulatedManagementFees(), 100_000e18);
    }

    function test_ThePerformanceFeeIsTenPercentOfTheRiseAboveTheMark() public {
        setPrice(credit, 110e18); // L3 from 12M to 12.8M
        vm.expectEmit(address(controller));
        emit AssetController.PerformanceFeeCollected(80_000e18, 800_000e18, 12_800_000e18);
        vm.prank(anyone);
        controller.accruePerformanceFee();
        vm.assertEq(controller.layer3HighWaterMark(), 12_800_000e18);
    }

    function test_BelowTheMarkThereIsNoPerformanceFee() public {
        setPrice(credit, 90e18);
        controller.accruePerformanceFee();
        vm.assertEq(controller.accumulatedPerformanceFees(), 0);
        vm.assertEq(controller.layer3HighWaterMark(), 12 * MILLION);
    }

    function test_PendingFeesAreWhatCollectingNowWouldPay() public {
        skip(73 days);
        setPrice(credit, 110e18);
        (uint256 management, uint256 performance, uint256 total, uint256 last, uint256 mark) =
            controller.getPendingFees();
        vm.assertEq(management, 20_800_000e18 / 1_000); // a fifth of a year
        vm.assertEq(performance, 80_000e18);
        vm.assertEq(last, START);
        vm.assertEq(mark, 12 * MILLION);
        vm.expectEmit(address(usdt));
        emit IERC20.Transfer(address(vault), treasury, total);
        vm.prank(admin);
        controller.collectFees();
        (,, uint256 left,,) = controller.getPendingFees();
        vm.assertEq(left, 0);
    }

    function test_CollectingNeedsFeesAndARecipient() public {
        vm.startPrank(admin);
        vm.expectRevert(AssetController.NoFeesToCollect.selector);
        controller.collectFees();
        AssetController bare = AssetController(deploy("AssetController", abi.encode(vault, admin)));
        vm.expectRevert(AssetController.FeeRecipientNotSet.selector);
        bare.collectFees();
        vm.expectRevert(AssetController.FeeRecipientNotSet.selector);
        bare.withdrawRedemptionFees(1);
    }

    function test_RedemptionFeesAreWithdrawnToTheRecipient() public {
        _earnRedemptionFee();
        vm.startPrank(admin);
        vm.expectEmit(address(vault));
        emit Vault.RedemptionFeeReduced(100e18);
        vm.expectEmit(address(controller));
        emit AssetController.RedemptionFeesWithdrawn(treasury, 100e18);
        controller.withdrawRedemptionFees(100e18);
        vm.assertEq(usdt.balanceOf(treasury), 100e18);
        vm.assertEq(vault.withdrawableRedemptionFees(), 80e18);
        vm.assertEq(vault.totalAccumulatedRedemptionFees(), 180e18);

        vm.expectRevert(abi.encodeWithSelector(AssetController.NotEnoughAvailableCash.selector, 80e18 + 1, 80e18));
        controller.withdrawRedemptionFees(80e18 + 1);
        vm.expectRevert(AssetController.NoFeesToCollect.selector);
        controller.withdrawRedemptionFees(0);
    }

    function test_WithdrawingRedemptionFeesDoesNotMoveNav() public {
        _earnRedemptionFee();
        uint256 nav = vault.sharePrice();
        vm.prank(admin);
        controller.withdrawRedemptionFees(180e18);
        vm.assertEq(vault.sharePrice(), nav);
    }

    function testFuzz_TheMarkNeverFallsByItself(uint256 first, uint256 second) public {
        setPrice(credit, within(first, 1e18, 1_000e18));
        controller.accruePerformanceFee();
        uint256 mark = controller.layer3HighWaterMark();
        setPrice(credit, within(second, 1e18, 1_000e18));
        controller.accruePerformanceFee();
        vm.assertGe(controller.layer3HighWaterMark(), mark);
        vm.assertEq(controller.accumulatedPerformanceFees(), (controller.layer3HighWaterMark() - 12 * MILLION) / 10);
    }

    function testFuzz_AccruingInTwoStepsIsAccruingInOne(uint256 first, uint256 second) public {
        first = within(first, 0, 365 days);
        second = within(second, 0, 365 days);
        skip(first);
        controller.accrueManagementFee();
        skip(second);
        controller.accrueManagementFee();
        uint256 atOnce = 20 * MILLION * 50 * (first + second) / (10_000 * 365 days);
        vm.assertApproxEqAbs(controller.accumulatedManagementFees(), atOnce, 1);
    }

    function _earnRedemptionFee() private {
        uint256 id = request(alice, 60_000e18);
        skip(7 days);
        manager.settleRedemption(id);
    }
}
