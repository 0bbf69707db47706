// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AssetController} from "../src/AssetController.sol";
import {RedemptionManager} from "../src/RedemptionManager.sol";
import {Tier} from "../src/libraries/Types.sol";
import {FundFixture} from "./support/FundFixture.sol";
import {Vm} from "./support/Test.sol";

/// The waterfall, settlements that need it, the buffer and the liquidity alerts.
contract LiquidityTest is FundFixture {
    function setUp() public override {
        super.setUp();
        fillFund(20); // 1M cash, 1M bills, 6M market, 8M credit, 4M estate
    }

    function _waterfall(uint256 amount, Tier maxTier) private returns (uint256) {
        vm.prank(rebalancer);
        return controller.executeWaterfallLiquidation(amount, maxTier);
    }

    function test_TheWaterfallSellsLayer1YieldFirst() public {
        vm.expectEmit(address(controller));
        emit AssetController.WaterfallLiquidation(
            Tier.TIER_1_CASH,
            address(bills),
            _atWorst(500_000e18, 1e18) / 1e12 + 1,
            (_atWorst(500_000e18, 1e18) / 1e12 + 1) * 1e12
        );
        uint256 funded = _waterfall(500_000e18, Tier.TIER_2_MMF);
        vm.assertGe(funded, 500_000e18);
        vm.assertEq(vault.getLayer2Liquidity(), 6 * MILLION);
    }

    function test_TheWaterfallGoesOnToLayer2WhenItMay() public {
        uint256 funded = _waterfall(3 * MILLION, Tier.TIER_2_MMF);
        vm.assertGe(funded, 3 * MILLION);
        vm.assertEq(vault.getLayer1YieldAssets(), 0);
        vm.assertLt(vault.getLayer2Liquidity(), 4 * MILLION);
    }

    function test_TheWaterfallStopsAtLayer1WhenToldTo() public {
        vm.assertEq(_waterfall(3 * MILLION, Tier.TIER_1_CASH), MILLION);
        vm.assertEq(vault.getLayer2Liquidity(), 6 * MILLION);
    }

    function test_TheWaterfallNeverSellsLayer3() public {
        vm.assertEq(_waterfall(15 * MILLION, Tier.TIER_3_HYD), 7 * MILLION);
        vm.assertEq(vault.getLayer3Value(), 12 * MILLION);
    }

    function test_TheWaterfallRaisesEnoughDespiteThePriceImpact() public {
        setImpact(market, 90);
        vm.assertGe(_waterfall(3 * MILLION, Tier.TIER_2_MMF), 3 * MILLION);
    }

    function test_TheWaterfallPassesOverWhatCannotBeSold() public {
        setImpact(market, 500); // beyond the 1 % it accepts
        vm.assertEq(_waterfall(3 * MILLION, Tier.TIER_2_MMF), MILLION);
        vm.assertEq(market.allowance(address(vault), address(swap)), 0);
    }

    function test_ASettlementShortOfCashSellsWhatItNeeds() public {
        uint256 id = _scheduledAndDue(4 * MILLION);
        manager.settleScheduledRedemption(id);
        vm.assertEq(usdt.balanceOf(alice), 4 * MILLION * 995 / 1_000);
        vm.assertEq(vault.getLayer3Value(), 12 * MILLION);
    }

    function test_ASettlementBeyondLayers1And2IsRefusedAndMayBeTriedAgain() public {
        uint256 id = _scheduledAndDue(9 * MILLION);
        vm.expectRevert(
            abi.encodeWithSelector(RedemptionManager.InsufficientLiquidity.selector, 8 * MILLION, 9 * MILLION)
        );
        manager.settleScheduledRedemption(id);
        vm.prank(rebalancer);
        controller.redeemAsset(address(credit), 10_000e8);
        manager.settleScheduledRedemption(id);
        vm.assertEq(status(id), 3);
    }

    function test_FeesInTheVaultAreNotThereToSettleWith() public {
        manager.settleScheduledRedemption(_scheduledAndDue(4 * MILLION));
        vm.assertEq(vault.withdrawableRedemptionFees(), 20_000e18);
        vm.assertGt(vault.getAvailableLiquidity(), 4_010_000e18);
        uint256 id = _scheduledAndDue(4_010_000e18);
        vm.expectPartialRevert(RedemptionManager.InsufficientLiquidity.selector);
        manager.settleScheduledRedemption(id);
    }

    function test_TheBufferIsLayer1AgainstItsTarget() public view {
        (uint256 cash, uint256 yield, uint256 total, uint256 target, uint256 ratio, bool needsRebalance) =
            controller.getBufferPoolInfo();
        vm.assertEq(cash, MILLION);
        vm.assertEq(yield, MILLION);
        vm.assertEq(total, 2 * MILLION);
        vm.assertEq(target, 2 * MILLION);
        vm.assertEq(ratio, 1_000);
        vm.assertFalse(needsRebalance);
    }

    function test_RebalanceBufferRefillsLayer1FromLayer2() public {
        buy(credit, MILLION);
        vm.prank(rebalancer);
        controller.rebalanceBuffer();
        (,, uint256 total, uint256 target,, bool needsRebalance) = controller.getBufferPoolInfo();
        vm.assertFalse(needsRebalance);
        vm.assertGe(total, target);
        vm.assertEq(vault.getLayer3Value(), 13 * MILLION);
    }

    function test_LowLiquidityIsAlertedBelow20PercentAndCriticalBelow15() public {
        vm.recordLogs();
        request(alice, 1_000e18);
        vm.assertEq(_logsWith(RedemptionManager.LowLiquidityAlert.selector), 0);

        setPrice(credit, 400e18); // 8M of 44M
        vm.recordLogs();
        request(alice, 1_000e18);
        vm.assertEq(_logsWith(RedemptionManager.LowLiquidityAlert.selector), 1);

        setPrice(credit, 600e18); // 8M of 60M
        vm.recordLogs();
        request(alice, 1_000e18);
        vm.assertEq(_logsWith(RedemptionManager.CriticalLiquidityAlert.selector), 1);
    }

    function testFuzz_TheWaterfallRaisesWhatIsAskedOrAllThereIs(uint256 amount, uint256 impact) public {
        amount = within(amount, 1, 20 * MILLION);
        impact = within(impact, 0, 100);
        setImpact(market, impact);
        uint256 cash = vault.getLayer1Cash();
        uint256 funded = _waterfall(amount, Tier.TIER_2_MMF);
        vm.assertEq(vault.getLayer1Cash() - cash, funded);
        bool soldOut = bills.balanceOf(address(vault)) == 0 && market.balanceOf(address(vault)) == 0;
        vm.assertTrue(soldOut || funded >= amount);
    }

    function _scheduledAndDue(uint256 shares) private returns (uint256 id) {
        id = request(alice, shares);
        vm.warp(manager.getRedemptionRequest(id).settlementTime);
    }

    /// What the waterfall sells for `amount` at 1 % slippage, in 18 decimals.
    function _atWorst(uint256 amount, uint256 price) private pure returns (uint256) {
        return amount * 10_000 / 9_900 * 1e18 / price;
    }

    function _logsWith(bytes32 topic) private returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == topic) count++;
        }
    }
}
