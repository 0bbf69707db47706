// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {OracleAdapter} from "../src/OracleAdapter.sol";
import {SwapHelper} from "../src/SwapHelper.sol";
import {ZeroAmount} from "../src/libraries/Errors.sol";
import {FundFixture} from "./support/FundFixture.sol";

/// The oracle and the swap helper.
contract MarketTest is FundFixture {
    function test_APriceCarriesTheTimeItWasSet() public {
        skip(1 hours);
        setPrice(market, 1.3e18);
        (uint256 price, uint256 updatedAt) = oracle.getPriceWithTimestamp(address(market));
        vm.assertEq(price, 1.3e18);
        vm.assertEq(price, oracle.getPrice(address(market)));
        vm.assertEq(updatedAt, START + 1 hours);
    }

    function test_APriceMayBeStaleFromTheStart() public {
        vm.prank(admin);
        oracle.setPriceWithTimestamp(address(market), 1.3e18, START - 5 hours);
        (, uint256 updatedAt) = oracle.getPriceWithTimestamp(address(market));
        vm.assertEq(updatedAt, START - 5 hours);
    }

    function test_ATokenWithoutAPriceHasNoneRatherThanZero() public {
        vm.expectRevert(abi.encodeWithSelector(OracleAdapter.PriceNotAvailable.selector, anyone));
        oracle.getPrice(anyone);
        vm.prank(admin);
        vm.expectRevert(ZeroAmount.selector);
        oracle.setPrice(anyone, 0);
    }

    function test_OnlyTheOwnerSetsPricesAndImpact() public {
        bytes memory refusal = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, anyone);
        vm.startPrank(anyone);
        vm.expectRevert(refusal);
        oracle.setPrice(address(market), 1);
        vm.expectRevert(refusal);
        swap.setPriceImpactBps(address(market), 1);
    }

    function test_QuotesKnowDecimalsAndImpactBothWays() public {
        vm.assertEq(swap.getAmountOut(address(usdt), address(credit), 1_000e18), 10e8);
        vm.assertEq(swap.getAmountOut(address(credit), address(usdt), 10e8), 1_000e18);
        setImpact(credit, 100);
        vm.assertEq(swap.getAmountOut(address(usdt), address(credit), 1_000e18), 9.9e8);
        vm.assertEq(swap.getAmountOut(address(credit), address(usdt), 10e8), 990e18);
    }

    function test_AnImpactOfEverythingIsRefused() public {
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(SwapHelper.ImpactTooHigh.selector, 10_000));
        swap.setPriceImpactBps(address(market), 10_000);
    }

    function testFuzz_AQuoteIsWhatASwapPays(uint256 amount, uint256 impact) public {
        deposit(alice, 20 * MILLION);
        setImpact(market, within(impact, 0, 100));
        amount = within(amount, 1e18, 20 * MILLION);
        uint256 quote = swap.getAmountOut(address(usdt), address(market), amount);
        vm.assertEq(buy(market, amount), quote);
    }
}
