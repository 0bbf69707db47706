// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title A price feed with Chainlink's interface that says whatever it is told to
contract PriceFeed {
    uint8 public decimals;
    string public description;
    int192 public minAnswer = 1;
    int192 public maxAnswer = type(int192).max;

    uint80 private _roundId;
    uint80 private _answeredInRound;
    int256 private _answer;
    uint256 private _updatedAt;

    constructor(uint8 decimals_, string memory description_) {
        decimals = decimals_;
        description = description_;
    }

    function publish(int256 answer, uint256 updatedAt, uint80 roundId, uint80 answeredInRound) external {
        (_answer, _updatedAt, _roundId, _answeredInRound) = (answer, updatedAt, roundId, answeredInRound);
    }

    function change(uint8 decimals_, int192 minAnswer_) external {
        (decimals, minAnswer) = (decimals_, minAnswer_);
    }

    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return (_roundId, _answer, _updatedAt, _updatedAt, _answeredInRound);
    }
}
