// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {RedemptionManager} from "../src/RedemptionManager.sol";
import {RedemptionRules} from "../src/libraries/RedemptionRules.sol";
import {Channel} from "../src/libraries/Types.sol";
import {FundFixture} from "./support/FundFixture.sol";

contract RedemptionFeeTest is FundFixture {
    uint256 private constant PLENTY = 4_000;

    function _bps(uint256 amount, uint256 liquidityBps) private pure returns (uint256) {
        return RedemptionRules.feeBps(amount, liquidityBps, Channel.STANDARD);
    }

    function test_TheBaseFeeIsTenBps() public pure {
        vm.assertEq(_bps(1e18, PLENTY), 10);
        vm.assertEq(_bps(50_000e18, PLENTY), 10);
    }

    function test_Above50000ItIsTwentyMore() public pure {
        vm.assertEq(_bps(50_000e18 + 1, PLENTY), 30);
        vm.assertEq(_bps(100_000e18, PLENTY), 30);
    }

    function test_Above100000ItIsTwentyMoreAgain() public pure {
        vm.assertEq(_bps(100_000e18 + 1, PLENTY), 50);
    }

    function test_ScarceLiquidityCostsThirtyBelow15PercentAndFifteenBelow20() public pure {
        vm.assertEq(_bps(1e18, 2_000), 10);
        vm.assertEq(_bps(1e18, 1_999), 25);
        vm.assertEq(_bps(1e18, 1_500), 25);
        vm.assertEq(_bps(1e18, 1_499), 40);
    }

    function test_TheSumIsCappedAtFifty() public pure {
        vm.assertEq(_bps(50_000e18 + 1, 1_499), 50);
        vm.assertEq(_bps(100_000e18 + 1, 1_999), 50);
    }

    function test_TheEmergencyPercentComesOnTopOfTheCap() public pure {
        vm.assertEq(RedemptionRules.feeBps(1e18, PLENTY, Channel.EMERGENCY), 110);
        vm.assertEq(RedemptionRules.feeBps(200_000e18, 0, Channel.EMERGENCY), 150);
    }

    function test_TheFeeIsComputedAgainAtSettlement() public {
        fillFund(20);
        uint256 id = _requestAndDrainLiquidity();
        RedemptionManager.RedemptionRequest memory made = manager.getRedemptionRequest(id);
        vm.assertEq(made.estimatedFee, 10e18);
        manager.settleRedemption(id);
        vm.assertEq(vault.totalAccumulatedRedemptionFees(), 40e18);
        vm.assertEq(usdt.balanceOf(alice), 9_960e18);
    }

    /// 10 000 asked for at 40 % liquidity and due at 12 %.
    function _requestAndDrainLiquidity() private returns (uint256 id) {
        id = request(alice, 10_000e18);
        skip(7 days);
        setPrice(credit, 560e18); // L3 to 47M beside 8M of L1 and L2
    }

    function testFuzz_TheFeeIsBetweenBaseAndCap(uint256 amount, uint256 liquidityBps) public pure {
        amount = within(amount, 0, 1e33);
        uint256 fee = RedemptionRules.fee(amount, liquidityBps, Channel.STANDARD);
        vm.assertGe(fee, amount / 1_000);
        vm.assertLe(fee, amount / 200);
    }

    function testFuzz_TheEmergencyFeeIsTheStandardOneAndOnePercent(uint256 amount, uint256 liquidityBps) public pure {
        amount = within(amount, 0, 1e33);
        uint256 standard = RedemptionRules.fee(amount, liquidityBps, Channel.STANDARD);
        uint256 emergency = RedemptionRules.fee(amount, liquidityBps, Channel.EMERGENCY);
        vm.assertApproxEqAbs(emergency, standard + amount / 100, 1);
    }

    function testFuzz_LessLiquidityNeverMakesItCheaper(uint256 amount, uint256 less, uint256 more) public pure {
        less = within(less, 0, 10_000);
        more = within(more, less, 10_000);
        vm.assertGe(_bps(amount, less), _bps(amount, more));
    }

    function testFuzz_ASettlementPaysNetKeepsFeeAndLeavesNavAlone(uint256 shares, uint256 price) public {
        fillFund(20);
        setPrice(credit, within(price, 90e18, 130e18));
        uint256 id = request(alice, within(shares, 1e6, 300_000e18));
        if (manager.getRedemptionRequest(id).requiresApproval) approve(id);
        skip(7 days);
        uint256 nav = vault.sharePrice();
        uint256 gross = manager.getRedemptionRequest(id).grossAmount;
        manager.settleRedemption(id);
        vm.assertEq(usdt.balanceOf(alice) + vault.withdrawableRedemptionFees(), gross);
        vm.assertApproxEqAbs(vault.sharePrice(), nav, 1e3);
    }
}
