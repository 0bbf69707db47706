// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {RedemptionManager} from "../src/RedemptionManager.sol";
import {Status} from "../src/libraries/Types.sol";
import {FundFixture} from "./support/FundFixture.sol";
import {FundHandler} from "./support/FundHandler.sol";

/// What is true of the fund's books after anything anybody did.
contract FundInvariantsTest is FundFixture {
    FundHandler private _handler;
    address[] private _holders;

    function setUp() public override {
        super.setUp();
        _handler = new FundHandler(
            FundHandler.Fund({
                usdt: usdt,
                vault: vault,
                manager: manager,
                controller: controller,
                oracle: oracle,
                bills: bills,
                market: market,
                credit: credit,
                admin: admin,
                rebalancer: rebalancer,
                approver: approver
            })
        );
        _holders = _handler.investors();
        _handler.deposit(0, 5 * MILLION);
        _handler.deposit(1, 3 * MILLION);
    }

    /// forge calls nobody else.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// Not an action: the handler's own way to catch a settlement's revert.
    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        excluded = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = FundHandler.settleAny.selector;
        excluded[0] = FuzzSelector(address(_handler), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function invariant_BalancesAddUpToTheSupply() public view {
        uint256 sum = vault.balanceOf(address(vault));
        for (uint256 i = 0; i < _holders.length; i++) {
            sum += vault.balanceOf(_holders[i]);
        }
        vm.assertEq(sum, vault.totalSupply());
    }

    function invariant_LockedSharesAreThoseOfOpenRequestsAndInTheVault() public view {
        uint256 locked = 0;
        for (uint256 i = 0; i < _holders.length; i++) {
            locked += vault.lockedSharesOf(_holders[i]);
        }
        vm.assertEq(locked, vault.totalLockedShares());
        (uint256 shares,,) = _open();
        vm.assertEq(shares, locked);
        vm.assertEq(vault.balanceOf(address(vault)), locked);
    }

    function invariant_TheLiabilityIsWhatOpenRequestsAreOwed() public view {
        (, uint256 gross,) = _open();
        vm.assertEq(vault.totalRedemptionLiability(), gross);
    }

    function invariant_PendingApprovalsAreCountedAndListed() public view {
        (,, uint256 awaiting) = _open();
        vm.assertEq(manager.getTotalPendingApprovalAmount(), awaiting);
        uint256[] memory ids = manager.getPendingApprovals();
        uint256 listed = 0;
        for (uint256 i = 0; i < ids.length; i++) {
            listed += manager.getRedemptionRequest(ids[i]).grossAmount;
        }
        vm.assertEq(listed, awaiting);
    }

    function invariant_TheVaultHasTheRedemptionFeesItOwes() public view {
        vm.assertGe(usdt.balanceOf(address(vault)), vault.withdrawableRedemptionFees());
        vm.assertEq(
            vault.totalAccumulatedRedemptionFees(), vault.withdrawableRedemptionFees() + _handler.withdrawnFees()
        );
    }

    function invariant_EverySettlementPaidItsAmountLessItsFee() public view {
        vm.assertEq(_handler.settledGross(), _handler.paidNet() + vault.totalAccumulatedRedemptionFees());
    }

    function invariant_NetAssetsAreGrossLessWhatIsOwed() public view {
        uint256 owed = vault.totalRedemptionLiability() + vault.withdrawableRedemptionFees();
        uint256 gross = vault.grossAssets();
        vm.assertEq(vault.totalAssets(), gross > owed ? gross - owed : 0);
    }

    function invariant_LayersAreHoldingsAtPresentPricesWhateverIsCached() public view {
        (uint256 cash, uint256 yield, uint256 layer2, uint256 layer3) = vault.getLiquidityBreakdown();
        vm.assertEq(cash, usdt.balanceOf(address(vault)));
        vm.assertEq(yield, bills.balanceOf(address(vault)) * oracle.getPrice(address(bills)) / 1e6);
        vm.assertEq(layer2, market.balanceOf(address(vault)) * oracle.getPrice(address(market)) / 1e18);
        vm.assertEq(layer3, credit.balanceOf(address(vault)) * oracle.getPrice(address(credit)) / 1e8);
    }

    function invariant_TheMarkOnlyRises() public view {
        vm.assertGe(controller.layer3HighWaterMark(), _handler.highestMark());
    }

    /// Shares, gross amount and amount awaiting approval of the requests still open.
    function _open() private view returns (uint256 shares, uint256 gross, uint256 awaiting) {
        for (uint256 id = 1; id <= manager.getRequestCount(); id++) {
            RedemptionManager.RedemptionRequest memory found = manager.getRedemptionRequest(id);
            if (found.status == Status.SETTLED || found.status == Status.CANCELLED) continue;
            shares += found.shares;
            gross += found.grossAmount;
            if (found.status == Status.PENDING_APPROVAL) awaiting += found.grossAmount;
        }
    }
}
