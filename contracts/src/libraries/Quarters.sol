// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title The fund's quarterly calendar
/// @notice Windows settle at 00:00 UTC on the first of March, June, September and December. A window's id is its year and
/// month, 202609 for September 2026, so that ids grow with time and can be read by people.
library Quarters {
    uint256 private constant DAY = 1 days;

    /// @notice The first window that settles at `timestamp` or later.
    function atOrAfter(uint256 timestamp) internal pure returns (uint256 windowId) {
        (uint256 year, uint256 month) = _yearAndMonth(timestamp);
        windowId = _windowOfMonth(year, month);
        if (settlementOf(windowId) < timestamp) windowId = following(windowId);
    }

    /// @notice The window after this one.
    function following(uint256 windowId) internal pure returns (uint256) {
        (uint256 year, uint256 month) = (windowId / 100, windowId % 100);
        return month == 12 ? (year + 1) * 100 + 3 : year * 100 + month + 3;
    }

    /// @notice When a window settles by the calendar.
    function settlementOf(uint256 windowId) internal pure returns (uint256) {
        return _daysToMonth(windowId / 100, windowId % 100) * DAY;
    }

    /// @notice 2020-03 onwards, and only months 3, 6, 9, 12.
    function isWindow(uint256 windowId) internal pure returns (bool) {
        uint256 month = windowId % 100;
        return windowId >= 202003 && windowId < 1000000 && month >= 3 && month <= 12 && month % 3 == 0;
    }

    /// The window in this month, or in the next quarter month: 1 → 3, 3 → 3, 4 → 6.
    function _windowOfMonth(uint256 year, uint256 month) private pure returns (uint256) {
        return year * 100 + ((month + 2) / 3) * 3;
    }

    /// Days from 1970-01-01 to the first of a month (Hinnant's civil calendar, years counted from March).
    function _daysToMonth(uint256 year, uint256 month) private pure returns (uint256) {
        uint256 y = month > 2 ? year : year - 1;
        uint256 monthFromMarch = month > 2 ? month - 3 : month + 9;
        return y * 365 + y / 4 - y / 100 + y / 400 + (153 * monthFromMarch + 2) / 5 - 719_468;
    }

    function _yearAndMonth(uint256 timestamp) private pure returns (uint256 year, uint256 month) {
        uint256 z = timestamp / DAY + 719_468;
        uint256 era = z / 146_097;
        uint256 dayOfEra = z - era * 146_097;
        uint256 yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        uint256 dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        uint256 monthFromMarch = (5 * dayOfYear + 2) / 153;
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
    }
}
