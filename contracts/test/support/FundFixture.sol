// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AssetController} from "../../src/AssetController.sol";
import {AssetScheduler} from "../../src/AssetScheduler.sol";
import {OTCManager} from "../../src/OTCManager.sol";
import {OracleAdapter} from "../../src/OracleAdapter.sol";
import {RedemptionManager} from "../../src/RedemptionManager.sol";
import {SwapHelper} from "../../src/SwapHelper.sol";
import {Vault} from "../../src/Vault.sol";
import {PurchaseMethod, Tier} from "../../src/libraries/Types.sol";
import {Counterparty} from "../../src/testing/Counterparty.sol";
import {PurchaseAdapter} from "../../src/testing/PurchaseAdapter.sol";
import {TestToken} from "../../src/testing/TestToken.sol";
import {Test} from "./Test.sol";

/// A wired fund with four assets over three tiers and no money in it.
abstract contract FundFixture is Test {
    uint256 internal constant MILLION = 1_000_000e18;
    uint256 internal constant START = 1_768_003_200; // 10 January 2026, 00:00 UTC

    address internal admin = person("admin");
    address internal rebalancer = person("rebalancer");
    address internal approver = person("approver");
    address internal treasury = person("treasury");
    address internal alice = person("alice");
    address internal bob = person("bob");
    address internal anyone = person("anyone");

    TestToken internal usdt;
    Vault internal vault;
    RedemptionManager internal manager;
    AssetController internal controller;
    AssetScheduler internal scheduler;
    OracleAdapter internal oracle;
    SwapHelper internal swap;
    OTCManager internal otc;
    Counterparty internal counterparty;

    TestToken internal bills; // L1, 6 decimals, through its adapter, at 1
    TestToken internal market; // L2, 18 decimals, swapped, at 1.25
    TestToken internal credit; // L3, 8 decimals, swapped, at 100
    TestToken internal estate; // L3, 18 decimals, OTC through its adapter, at 10
    PurchaseAdapter internal billsAdapter;
    PurchaseAdapter internal estateAdapter;

    function setUp() public virtual {
        vm.warp(START);
        _deployContracts();
        vm.startPrank(admin);
        _wire();
        _addAssets();
        vm.stopPrank();
    }

    function _deployContracts() private {
        usdt = _token("Tether USD", "USDT", 18);
        vault = Vault(deploy("Vault", abi.encode(usdt, admin)));
        manager = RedemptionManager(deploy("RedemptionManager", abi.encode(vault, admin)));
        controller = AssetController(deploy("AssetController", abi.encode(vault, admin)));
        scheduler = AssetScheduler(deploy("AssetScheduler", abi.encode(admin)));
        oracle = OracleAdapter(deploy("OracleAdapter", abi.encode(admin)));
        swap = SwapHelper(deploy("SwapHelper", abi.encode(vault, usdt, oracle, admin)));
        otc = OTCManager(deploy("OTCManager", abi.encode(vault, usdt, admin)));
        counterparty = Counterparty(deploy("Counterparty", ""));
        bills = _token("Overnight Bills", "BILL", 6);
        market = _token("Money Market", "MMF", 18);
        credit = _token("Credit Pool", "CRED", 8);
        estate = _token("Real Estate", "EST", 18);
        billsAdapter = _adapter(bills);
        estateAdapter = _adapter(estate);
    }

    function _wire() private {
        vault.setAssetController(address(controller));
        vault.grantOperator(address(controller));
        vault.grantOperator(address(manager));
        manager.setAssetController(address(controller));
        manager.setAssetScheduler(address(scheduler));
        manager.grantRole(manager.VIP_APPROVER_ROLE(), approver);
        controller.setOracleAdapter(address(oracle));
        controller.setSwapHelper(address(swap));
        controller.setOTCManager(address(otc));
        controller.setAssetScheduler(address(scheduler));
        controller.setFeeRecipient(treasury);
        controller.grantRole(controller.REBALANCER_ROLE(), rebalancer);
        controller.grantRole(controller.REBALANCER_ROLE(), address(manager));
        scheduler.grantRole(scheduler.OPERATOR_ROLE(), address(manager));
        otc.grantRole(otc.OPERATOR_ROLE(), address(controller));
        otc.setCounterpartyWhitelist(address(counterparty), true);
    }

    function _addAssets() private {
        oracle.setPrice(address(bills), 1e18);
        oracle.setPrice(address(market), 1.25e18);
        oracle.setPrice(address(credit), 100e18);
        oracle.setPrice(address(estate), 10e18);
        controller.addAsset(address(bills), Tier.TIER_1_CASH, 500, address(billsAdapter));
        controller.addAssetSimple(address(market), Tier.TIER_2_MMF, 3_000);
        controller.addAssetSimple(address(credit), Tier.TIER_3_HYD, 4_000);
        controller.addAsset(address(estate), Tier.TIER_3_HYD, 2_000, address(estateAdapter));
        controller.setAssetPurchaseConfig(address(estate), PurchaseMethod.OTC, 0, 10_000e18, 0, 0);
    }

    function _token(string memory name, string memory symbol, uint8 decimals) private returns (TestToken) {
        return TestToken(deploy("TestToken", abi.encode(name, symbol, decimals)));
    }

    function _adapter(TestToken token) private returns (PurchaseAdapter) {
        return PurchaseAdapter(deploy("PurchaseAdapter", abi.encode(vault, usdt, token, oracle)));
    }

    // ------------------------------------------------------------------------------------------ what people do

    function deposit(address who, uint256 amount) internal returns (uint256 shares) {
        usdt.mint(who, amount);
        vm.startPrank(who);
        usdt.approve(address(vault), amount);
        shares = vault.deposit(amount, who);
        vm.stopPrank();
    }

    function request(address who, uint256 shares) internal returns (uint256) {
        vm.prank(who);
        return manager.requestRedemption(shares, who);
    }

    function requestEmergency(address who, uint256 shares) internal returns (uint256) {
        vm.prank(who);
        return manager.requestEmergencyRedemption(shares, who);
    }

    function approve(uint256 requestId) internal {
        vm.prank(approver);
        manager.approveRedemption(requestId);
    }

    function buy(TestToken token, uint256 usdtAmount) internal returns (uint256) {
        vm.prank(rebalancer);
        return controller.purchaseAsset(address(token), usdtAmount);
    }

    function setEmergency(bool on) internal {
        vm.prank(admin);
        vault.setEmergencyMode(on);
    }

    function setPrice(TestToken token, uint256 price) internal {
        vm.prank(admin);
        oracle.setPrice(address(token), price);
    }

    function setImpact(TestToken token, uint256 bps) internal {
        vm.prank(admin);
        swap.setPriceImpactBps(address(token), bps);
    }

    function skip(uint256 time) internal {
        vm.warp(block.timestamp + time);
    }

    /// So many million from alice, and the tiers on 10 / 30 / 60, half of L1 in bills.
    function fillFund(uint256 millions) internal {
        deposit(alice, millions * MILLION);
        buy(bills, millions * MILLION * 5 / 100);
        buy(market, millions * MILLION * 30 / 100);
        buy(credit, millions * MILLION * 40 / 100);
        buy(estate, millions * MILLION * 20 / 100);
    }

    function status(uint256 requestId) internal view returns (uint256) {
        return uint256(manager.getRedemptionRequest(requestId).status);
    }
}
