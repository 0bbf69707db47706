// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {AssetController} from "../../src/AssetController.sol";
import {OracleAdapter} from "../../src/OracleAdapter.sol";
import {RedemptionManager} from "../../src/RedemptionManager.sol";
import {Vault} from "../../src/Vault.sol";
import {Channel, Status, Tier} from "../../src/libraries/Types.sol";
import {TestToken} from "../../src/testing/TestToken.sol";
import {Test} from "./Test.sol";

/// Everything people, keys and markets do to a fund, in any order. An action that could not be done is left out, so that a
/// revert here is a finding.
contract FundHandler is Test {
    struct Fund {
        TestToken usdt;
        Vault vault;
        RedemptionManager manager;
        AssetController controller;
        OracleAdapter oracle;
        TestToken bills;
        TestToken market;
        TestToken credit;
        address admin;
        address rebalancer;
        address approver;
    }

    Fund private _fund;
    address[] private _investors;

    /// Redemption fees paid out, which the chain itself does not count.
    uint256 public withdrawnFees;
    /// What every settled request was owed, to compare with what left the vault.
    uint256 public settledGross;
    uint256 public paidNet;
    /// The highest the mark has been.
    uint256 public highestMark;

    constructor(Fund memory fund) {
        _fund = fund;
        _investors = [person("first"), person("second"), person("third")];
    }

    function investors() external view returns (address[] memory) {
        return _investors;
    }

    function deposit(uint256 who, uint256 amount) external {
        address investor = _investors[who % 3];
        amount = within(amount, 500e18, 5_000_000e18);
        if (_fund.vault.previewDeposit(amount) == 0) return;
        _fund.usdt.mint(investor, amount);
        vm.startPrank(investor);
        _fund.usdt.approve(address(_fund.vault), amount);
        _fund.vault.deposit(amount, investor);
        vm.stopPrank();
    }

    function transferShares(uint256 from, uint256 to, uint256 amount) external {
        address sender = _investors[from % 3];
        amount = within(amount, 0, _fund.vault.balanceOf(sender));
        vm.prank(sender);
        require(_fund.vault.transfer(_investors[to % 3], amount), "transfer failed");
    }

    function request(uint256 who, uint256 shares, bool emergency) external {
        address investor = _investors[who % 3];
        uint256 balance = _fund.vault.balanceOf(investor);
        uint256 locked = _fund.vault.lockedSharesOf(investor);
        if (balance <= locked) return;
        shares = within(shares, 1, balance - locked);
        if (emergency) {
            vm.prank(_fund.admin);
            _fund.vault.setEmergencyMode(true);
        }
        vm.prank(investor);
        if (emergency) _fund.manager.requestEmergencyRedemption(shares, investor);
        else _fund.manager.requestRedemption(shares, investor);
    }

    function cancel(uint256 which) external {
        RedemptionManager.RedemptionRequest memory found = _pick(which);
        if (found.status != Status.PENDING && found.status != Status.PENDING_APPROVAL) return;
        if (found.requestId == 0) return;
        vm.prank(found.owner);
        _fund.manager.cancelRedemption(found.requestId);
    }

    function decide(uint256 which, bool approve) external {
        uint256[] memory pending = _fund.manager.getPendingApprovals();
        if (pending.length == 0) return;
        vm.prank(_fund.approver);
        if (approve) _fund.manager.approveRedemption(pending[which % pending.length]);
        else _fund.manager.rejectRedemption(pending[which % pending.length], "fuzz");
    }

    function settle(uint256 which) external {
        RedemptionManager.RedemptionRequest memory found = _pick(which);
        if (found.requestId == 0 || (found.status != Status.PENDING && found.status != Status.APPROVED)) return;
        if (found.settlementTime > block.timestamp) vm.warp(found.settlementTime);
        uint256 before = _fund.usdt.balanceOf(found.receiver);
        try this.settleAny(found.requestId, found.channel) {
            settledGross += found.grossAmount;
            paidNet += _fund.usdt.balanceOf(found.receiver) - before;
        } catch (bytes memory reason) {
            require(bytes4(reason) == RedemptionManager.InsufficientLiquidity.selector, "settlement failed oddly");
        }
    }

    function settleAny(uint256 requestId, Channel channel) external {
        if (channel == Channel.SCHEDULED) _fund.manager.settleScheduledRedemption(requestId);
        else _fund.manager.settleRedemption(requestId);
    }

    function buy(uint256 which, uint256 amount) external {
        uint256 fees = _fund.vault.withdrawableRedemptionFees();
        amount = within(amount, 0, _fund.vault.getLayer1Cash() - fees);
        vm.prank(_fund.rebalancer);
        _fund.controller.purchaseAsset(address(_token(which)), amount);
    }

    function sell(uint256 which, uint256 amount) external {
        TestToken token = _token(which);
        amount = within(amount, 0, token.balanceOf(address(_fund.vault)));
        vm.prank(_fund.rebalancer);
        _fund.controller.redeemAsset(address(token), amount);
    }

    function waterfall(uint256 amount) external {
        vm.prank(_fund.rebalancer);
        _fund.controller.executeWaterfallLiquidation(within(amount, 0, 5_000_000e18), Tier.TIER_2_MMF);
    }

    function rebalanceBuffer() external {
        vm.prank(_fund.rebalancer);
        _fund.controller.rebalanceBuffer();
    }

    function movePrice(uint256 which, uint256 bps) external {
        address token = address(_token(which));
        uint256 price = Math.mulDiv(_fund.oracle.getPrice(token), within(bps, 8_000, 12_500), 10_000);
        vm.prank(_fund.admin);
        _fund.oracle.setPrice(token, within(price, 1e15, 1e24));
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + within(time, 1, 10 days));
    }

    function refreshCache() external {
        _fund.controller.refreshCache();
    }

    function accrue() external {
        _fund.controller.accrueManagementFee();
        _fund.controller.accruePerformanceFee();
        highestMark = Math.max(highestMark, _fund.controller.layer3HighWaterMark());
    }

    function withdrawFees(uint256 amount) external {
        uint256 fees = _fund.vault.withdrawableRedemptionFees();
        if (fees == 0) return;
        amount = within(amount, 1, fees);
        vm.prank(_fund.admin);
        _fund.controller.withdrawRedemptionFees(amount);
        withdrawnFees += amount;
    }

    /// Any request, or the empty one where there are none.
    function _pick(uint256 which) private view returns (RedemptionManager.RedemptionRequest memory found) {
        uint256 count = _fund.manager.getRequestCount();
        if (count > 0) found = _fund.manager.getRedemptionRequest(1 + which % count);
    }

    function _token(uint256 which) private view returns (TestToken) {
        if (which % 3 == 0) return _fund.bills;
        return which % 3 == 1 ? _fund.market : _fund.credit;
    }
}
