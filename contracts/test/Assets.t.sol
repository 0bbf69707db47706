// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {AssetController} from "../src/AssetController.sol";
import {SwapHelper} from "../src/SwapHelper.sol";
import {ZeroAddress} from "../src/libraries/Errors.sol";
import {PurchaseMethod, Tier} from "../src/libraries/Types.sol";
import {FundFixture} from "./support/FundFixture.sol";

/// Adding, configuring, buying, selling and valuing assets.
contract AssetsTest is FundFixture {
    function setUp() public override {
        super.setUp();
        deposit(alice, 20 * MILLION);
    }

    // ------------------------------------------------------------------------------------------ buying, selling

    function test_ASwapBuysAtTheOraclesPriceInTheTokensDecimals() public {
        vm.expectEmit(address(controller));
        emit AssetController.PurchaseRouted(address(credit), Tier.TIER_3_HYD, PurchaseMethod.SWAP, 1_000e18, 10e8);
        vm.expectEmit(address(controller));
        emit AssetController.AssetPurchased(address(credit), Tier.TIER_3_HYD, 1_000e18, 10e8);
        vm.assertEq(buy(credit, 1_000e18), 10e8);
        vm.assertEq(vault.getLayer3Value(), 1_000e18);
        vm.assertEq(vault.totalAssets(), 20 * MILLION);
    }

    function test_AnAdapterBuysWhereTheAssetHasOne() public {
        vm.expectEmit(address(controller));
        emit AssetController.PurchaseRouted(address(bills), Tier.TIER_1_CASH, PurchaseMethod.OTC, 1_000e18, 1_000e6);
        buy(bills, 1_000e18);
        vm.assertEq(bills.balanceOf(address(vault)), 1_000e6);
    }

    function test_ThePriceImpactIsPaidByTheFund() public {
        setImpact(market, 50);
        buy(market, 1_000e18);
        vm.assertEq(vault.getLayer2Liquidity(), 995e18);
    }

    function test_ASwapBeyondTheSlippageIsRefused() public {
        setImpact(market, 101);
        vm.prank(rebalancer);
        vm.expectRevert(abi.encodeWithSelector(SwapHelper.InsufficientOutput.selector, 791.92e18, 792e18));
        controller.purchaseAsset(address(market), 1_000e18);
    }

    function test_AnAssetsOwnSlippageGoesBeforeTheDefault() public {
        setImpact(market, 101);
        vm.prank(admin);
        controller.setAssetPurchaseConfig(address(market), PurchaseMethod.AUTO, 200, 0, 0, 0);
        vm.assertEq(buy(market, 1_000e18), 791.92e18);
    }

    function test_RedeemingSellsThroughTheSameDoor() public {
        buy(credit, 1_000e18);
        buy(bills, 1_000e18);
        vm.startPrank(rebalancer);
        vm.expectEmit(address(controller));
        emit AssetController.AssetRedeemed(address(credit), Tier.TIER_3_HYD, 4e8, 400e18);
        vm.assertEq(controller.redeemAsset(address(credit), 4e8), 400e18);
        vm.assertEq(controller.redeemAsset(address(bills), 1_000e6), 1_000e18);
        vm.assertEq(usdt.balanceOf(address(vault)), 20 * MILLION - 600e18);
    }

    function test_NoMoreIsSpentThanThereIs() public {
        bytes memory refusal =
            abi.encodeWithSelector(AssetController.NotEnoughAvailableCash.selector, 20 * MILLION + 1, 20 * MILLION);
        vm.startPrank(rebalancer);
        vm.expectRevert(refusal);
        controller.purchaseAsset(address(market), 20 * MILLION + 1);
        vm.expectRevert(refusal);
        controller.allocateToLayer(Tier.TIER_2_MMF, 20 * MILLION + 1);
    }

    function test_ASubscriptionWindowHasTwoEnds() public {
        uint256 start = block.timestamp + 1 days;
        uint256 end = block.timestamp + 2 days;
        vm.prank(admin);
        controller.setAssetPurchaseConfig(address(market), PurchaseMethod.AUTO, 0, 0, start, end);
        _assertWindowClosed(start, end);
        vm.warp(end + 1);
        _assertWindowClosed(start, end);
        vm.warp(end);
        buy(market, 1_000e18);
    }

    function test_WithoutItsMarketAnAssetIsNotBought() public {
        vm.prank(admin);
        controller.setAssetAdapter(address(estate), address(0));
        vm.prank(rebalancer);
        vm.expectRevert(abi.encodeWithSelector(AssetController.AssetAdapterNotConfigured.selector, address(estate)));
        controller.purchaseAsset(address(estate), 10_000e18);

        AssetController bare = _bareController();
        vm.prank(admin);
        bare.addAssetSimple(address(market), Tier.TIER_2_MMF, 100);
        vm.prank(rebalancer);
        vm.expectRevert(AssetController.SwapHelperNotConfigured.selector);
        bare.purchaseAsset(address(market), 1);
    }

    function test_AllocationToALayerFollowsTheWeights() public {
        vm.prank(rebalancer);
        vm.assertEq(controller.allocateToLayer(Tier.TIER_3_HYD, 6 * MILLION), 6 * MILLION);
        vm.assertEq(credit.balanceOf(address(vault)), 40_000e8);
        vm.assertEq(estate.balanceOf(address(vault)), 200_000e18);
    }

    function test_AllocationPassesOverWhatCannotBeBoughtNow() public {
        vm.prank(rebalancer);
        vm.assertEq(controller.allocateToLayer(Tier.TIER_3_HYD, 15_000e18), 10_000e18); // estate wants 10 000
        vm.assertEq(estate.balanceOf(address(vault)), 0);
    }

    function test_OnlyRebalancersTradeAndOnlyAdminsConfigure() public {
        bytes32 rebalancing = controller.REBALANCER_ROLE();
        bytes32 administration = controller.ADMIN_ROLE();
        _assertRefused(rebalancing, abi.encodeCall(controller.purchaseAsset, (address(market), 1)));
        _assertRefused(rebalancing, abi.encodeCall(controller.redeemAsset, (address(market), 1)));
        _assertRefused(rebalancing, abi.encodeCall(controller.allocateToLayer, (Tier.TIER_2_MMF, 1)));
        _assertRefused(rebalancing, abi.encodeCall(controller.executeWaterfallLiquidation, (1, Tier.TIER_2_MMF)));
        _assertRefused(rebalancing, abi.encodeCall(controller.rebalanceBuffer, ()));
        _assertRefused(rebalancing, abi.encodeCall(controller.compoundYield, ()));
        _assertRefused(rebalancing, abi.encodeCall(controller.updateAssetAllocation, (address(market), 1)));
        _assertRefused(rebalancing, abi.encodeCall(controller.executeOTCPayment, (1)));
        _assertRefused(administration, abi.encodeCall(controller.addAssetSimple, (anyone, Tier.TIER_2_MMF, 1)));
        _assertRefused(administration, abi.encodeCall(controller.removeAsset, (address(market))));
        _assertRefused(administration, abi.encodeCall(controller.setLayerConfig, (Tier.TIER_2_MMF, 1, 1, 1)));
        _assertRefused(administration, abi.encodeCall(controller.setLayer3HighWaterMark, (1)));
        _assertRefused(administration, abi.encodeCall(controller.collectFees, ()));
        _assertRefused(administration, abi.encodeCall(controller.withdrawRedemptionFees, (1)));
        _assertRefused(administration, abi.encodeCall(controller.setSwapHelper, (anyone)));
        _assertRefused(administration, abi.encodeCall(controller.pause, ()));
    }

    // ------------------------------------------------------------------------------------------------ the list

    function test_AddingSaysSoAndRemembersTheDecimals() public view {
        AssetController.AssetConfig[] memory configs = controller.getAssetConfigs();
        vm.assertEq(configs.length, 4);
        vm.assertEq(configs[2].token, address(credit));
        vm.assertEq(configs[2].decimals, 8);
        vm.assertEq(configs[2].targetAllocation, 4_000);
        vm.assertTrue(configs[2].isActive);
        vm.assertEq(controller.getLayerAssets(Tier.TIER_3_HYD).length, 2);
    }

    function test_AnAssetIsAddedOnceAndWithASaneAllocation() public {
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(AssetController.AssetAlreadyExists.selector, address(market)));
        controller.addAssetSimple(address(market), Tier.TIER_2_MMF, 1);
        vm.expectRevert(abi.encodeWithSelector(AssetController.InvalidAllocation.selector, 10_001));
        controller.addAssetSimple(address(usdt), Tier.TIER_2_MMF, 10_001);
        vm.expectRevert(ZeroAddress.selector);
        controller.addAssetSimple(address(0), Tier.TIER_2_MMF, 1);
    }

    function test_ARemovedAssetNoLongerCountsAndCannotBeBoughtButCanBeSold() public {
        buy(market, 1_000e18);
        vm.prank(admin);
        vm.expectEmit(address(controller));
        emit AssetController.AssetRemoved(address(market));
        controller.removeAsset(address(market));
        vm.assertEq(vault.getLayer2Liquidity(), 0);
        vm.assertFalse(controller.getAssetConfigs()[1].isActive);

        vm.startPrank(rebalancer);
        vm.expectRevert(abi.encodeWithSelector(AssetController.AssetNotPurchasable.selector, address(market)));
        controller.purchaseAsset(address(market), 1_000e18);
        vm.assertEq(controller.redeemAsset(address(market), 800e18), 1_000e18);
    }

    function test_ARemovedAssetMayComeBackAndIsListedOnce() public {
        vm.startPrank(admin);
        controller.removeAsset(address(market));
        controller.addAssetSimple(address(market), Tier.TIER_3_HYD, 1);
        vm.assertEq(controller.getAssetConfigs().length, 4);
        vm.assertEq(controller.getLayerAssets(Tier.TIER_2_MMF).length, 0);
        vm.assertEq(controller.getLayerAssets(Tier.TIER_3_HYD).length, 3);
    }

    function test_AnUnknownAssetIsNotFound() public {
        bytes memory notFound = abi.encodeWithSelector(AssetController.AssetNotFound.selector, anyone);
        vm.startPrank(rebalancer);
        vm.expectRevert(notFound);
        controller.purchaseAsset(anyone, 1);
        vm.expectRevert(notFound);
        controller.redeemAsset(anyone, 1);
        vm.expectRevert(notFound);
        controller.updateAssetAllocation(anyone, 1);
        vm.stopPrank();
        vm.startPrank(admin);
        vm.expectRevert(notFound);
        controller.removeAsset(anyone);
    }

    function test_AllocationsAndAdaptersChangeWithAnEvent() public {
        vm.prank(rebalancer);
        vm.expectEmit(address(controller));
        emit AssetController.AssetAllocationUpdated(address(market), 3_000, 2_500);
        controller.updateAssetAllocation(address(market), 2_500);
        vm.prank(admin);
        vm.expectEmit(address(controller));
        emit AssetController.AssetAdapterUpdated(address(market), address(0), anyone);
        controller.setAssetAdapter(address(market), anyone);
    }

    // ----------------------------------------------------------------------------------------- layers, settings

    function test_TheBandsStartWhereTheyDo() public view {
        (
            AssetController.LayerConfig memory layer1,
            AssetController.LayerConfig memory layer2,
            AssetController.LayerConfig memory layer3
        ) = controller.getLayerConfigs();
        vm.assertEq(layer1.targetRatio, 1_000);
        vm.assertEq(layer1.minRatio, 500);
        vm.assertEq(layer1.maxRatio, 3_000);
        vm.assertEq(layer2.targetRatio, 3_000);
        vm.assertEq(layer2.minRatio, 1_000);
        vm.assertEq(layer2.maxRatio, 5_000);
        vm.assertEq(layer3.targetRatio, 6_000);
        vm.assertEq(layer3.minRatio, 3_000);
        vm.assertEq(layer3.maxRatio, 8_000);
        vm.assertTrue(controller.validateLayerRatios());
    }

    function test_ABandMustHoldItsTarget() public {
        vm.startPrank(admin);
        vm.expectRevert(AssetController.InvalidLayerRatios.selector);
        controller.setLayerConfig(Tier.TIER_1_CASH, 1_000, 1_001, 3_000);
        vm.expectRevert(AssetController.InvalidLayerRatios.selector);
        controller.setLayerConfig(Tier.TIER_1_CASH, 3_001, 500, 3_000);
        vm.expectRevert(AssetController.InvalidLayerRatios.selector);
        controller.setLayerConfig(Tier.TIER_1_CASH, 1_000, 500, 10_001);
        vm.expectEmit(address(controller));
        emit AssetController.LayerConfigUpdated(Tier.TIER_1_CASH, 1_100, 500, 2_000);
        controller.setLayerConfig(Tier.TIER_1_CASH, 1_100, 500, 2_000);
        vm.assertFalse(controller.validateLayerRatios());
    }

    function test_SlippageHasACeiling() public {
        vm.startPrank(admin);
        bytes memory refusal = abi.encodeWithSelector(AssetController.SlippageTooHigh.selector, 1_001, 1_000);
        vm.expectRevert(refusal);
        controller.setDefaultSwapSlippage(1_001);
        vm.expectRevert(refusal);
        controller.setAssetPurchaseConfig(address(market), PurchaseMethod.AUTO, 1_001, 0, 0, 0);
    }

    function test_WithoutAnOracleNothingHeldHasAValue() public {
        AssetController bare = _bareController();
        vm.prank(admin);
        bare.addAssetSimple(address(market), Tier.TIER_2_MMF, 100);
        vm.assertEq(bare.getLayerValue(Tier.TIER_2_MMF), 0);
        market.mint(address(vault), 1);
        vm.expectRevert(AssetController.OracleNotConfigured.selector);
        bare.getLayerValue(Tier.TIER_2_MMF);
    }

    function test_EarnedYieldIsCompoundedIntoTheHolding() public {
        buy(bills, 1_000e18);
        billsAdapter.earn(25e18);
        vm.prank(rebalancer);
        vm.expectEmit(address(controller));
        emit AssetController.YieldCompounded(address(bills), 25e18, 25e6);
        controller.compoundYield();
        vm.assertEq(vault.getLayer1YieldAssets(), 1_025e18);
    }

    function testFuzz_BuyingAndSellingBackCostsNoMoreThanImpactAndRounding(uint256 amount, uint256 impact) public {
        amount = within(amount, 1e18, 10 * MILLION);
        impact = within(impact, 0, 100);
        setImpact(credit, impact);
        uint256 tokens = buy(credit, amount);
        vm.prank(rebalancer);
        uint256 back = controller.redeemAsset(address(credit), tokens);
        vm.assertLe(back, amount);
        // One unit of an 8-decimal token at 100 is worth 1e12.
        vm.assertGe(back + 2e12, amount * (10_000 - impact) / 10_000 * (10_000 - impact) / 10_000);
    }

    // -------------------------------------------------------------------------------------------------- helpers

    function _assertWindowClosed(uint256 start, uint256 end) private {
        vm.prank(rebalancer);
        vm.expectRevert(
            abi.encodeWithSelector(
                AssetController.SubscriptionWindowClosed.selector, address(market), start, end, block.timestamp
            )
        );
        controller.purchaseAsset(address(market), 1_000e18);
    }

    function _assertRefused(bytes32 role, bytes memory call) private {
        vm.prank(anyone);
        (bool success, bytes memory reason) = address(controller).call(call);
        vm.assertFalse(success);
        bytes memory refusal =
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, anyone, role);
        vm.assertTrue(keccak256(reason) == keccak256(refusal));
    }

    /// A second controller of the same vault with nothing configured.
    function _bareController() private returns (AssetController bare) {
        bare = AssetController(deploy("AssetController", abi.encode(vault, admin)));
        bytes32 role = bare.REBALANCER_ROLE();
        vm.prank(admin);
        bare.grantRole(role, rebalancer);
    }
}
