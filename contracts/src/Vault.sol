// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {IAssetController} from "./interfaces/IAssetController.sol";
import {InsufficientShares, ZeroAddress, ZeroAmount} from "./libraries/Errors.sol";
import {FundAccess} from "./libraries/FundAccess.sol";
import {ONE, Tier} from "./libraries/Types.sol";

/// @title The fund's vault: its cash, its assets and its shares (PPT)
/// @notice Investors deposit USDT here and leave through the RedemptionManager. The vault keeps the books that decide NAV:
///
///   gross assets  = USDT here + the asset controller's value of everything else
///   net assets    = gross − redemption liability − withdrawable redemption fees       (`totalAssets`)
///   share price   = net assets ÷ (supply − locked shares)                             (`sharePrice`)
///
/// Deposits do NOT mint at `sharePrice` but at net assets ÷ whole supply, as ERC-4626 does by itself: while redemptions are
/// open, a depositor gets more shares than NAV would give, at the other holders' cost.
contract Vault is ERC4626, FundAccess, Pausable, ReentrancyGuard {
    using SafeERC20 for IERC20;

    uint256 public constant MINIMUM_DEPOSIT = 500e18;

    address public assetController;
    bool public emergencyMode;

    uint256 public totalRedemptionLiability;
    uint256 public totalLockedShares;
    mapping(address owner => uint256) public lockedSharesOf;

    /// Kept from redemptions and not yet withdrawn; it sits in the vault but belongs to the fee recipient.
    uint256 public withdrawableRedemptionFees;
    uint256 public totalAccumulatedRedemptionFees;

    uint256 public lastNavUpdate;

    event DepositProcessed(address indexed sender, address indexed receiver, uint256 assets, uint256 shares);
    event SharesLocked(address indexed owner, uint256 shares);
    event SharesUnlocked(address indexed owner, uint256 shares);
    event SharesBurned(address indexed owner, uint256 shares);
    event RedemptionFeeAdded(uint256 fee);
    event RedemptionFeeReduced(uint256 fee);
    event NavUpdated(uint256 oldNav, uint256 newNav, uint256 timestamp);
    event EmergencyModeChanged(bool enabled);
    event AssetControllerUpdated(address indexed oldController, address indexed newController);

    error DepositBelowMinimum(uint256 amount, uint256 minimum);
    error OnlyOperator();
    error AssetControllerNotSet();

    struct VaultState {
        uint256 totalAssets;
        uint256 totalSupply;
        uint256 sharePrice;
        uint256 layer1Liquidity;
        uint256 layer2Liquidity;
        uint256 layer3Value;
        uint256 totalRedemptionLiability;
        uint256 totalLockedShares;
        bool emergencyMode;
    }

    modifier onlyOperator() {
        if (!hasRole(OPERATOR_ROLE, msg.sender)) revert OnlyOperator();
        _;
    }

    constructor(IERC20 usdt, address admin) ERC20("Paimon Prime Token", "PPT") ERC4626(usdt) FundAccess(admin) {
        if (address(usdt) == address(0)) revert ZeroAddress();
        lastNavUpdate = block.timestamp;
    }

    // ------------------------------------------------------------------------------------------------ investors

    /// @notice One deposit writes two logs, `Deposit` and `DepositProcessed`.
    function deposit(uint256 assets, address receiver) public override nonReentrant whenNotPaused returns (uint256) {
        return super.deposit(assets, receiver);
    }

    function mint(uint256 shares, address receiver) public override nonReentrant whenNotPaused returns (uint256) {
        return super.mint(shares, receiver);
    }

    /// @notice Shares leave through the RedemptionManager only.
    function withdraw(uint256, address, address) public pure override returns (uint256) {
        revert("Use Redemption");
    }

    function redeem(uint256, address, address) public pure override returns (uint256) {
        revert("Use Redemption");
    }

    function maxWithdraw(address) public pure override returns (uint256) {
        return 0;
    }

    function maxRedeem(address) public pure override returns (uint256) {
        return 0;
    }

    /// @notice Stamps the time and nothing else: old and new NAV in the event are always equal, since prices move without
    /// the vault being told.
    function updateNav() external {
        uint256 nav = sharePrice();
        lastNavUpdate = block.timestamp;
        emit NavUpdated(nav, nav, block.timestamp);
    }

    // ---------------------------------------------------------------------------------------------------- value

    /// @notice Net assets. Uses the asset controller's cached value while that is fresh enough.
    function totalAssets() public view override returns (uint256) {
        uint256 gross = grossAssets();
        uint256 owed = totalRedemptionLiability + withdrawableRedemptionFees;
        return gross > owed ? gross - owed : 0;
    }

    /// @notice Cash and all assets, before anything owed. Cached as `totalAssets` is.
    function grossAssets() public view returns (uint256) {
        return getLayer1Cash() + _controller().calculateAssetValue();
    }

    /// @notice NAV per share, 1e18. Unlike a deposit's price it leaves locked shares out.
    function sharePrice() public view returns (uint256) {
        uint256 effective = effectiveSupply();
        return effective == 0 ? ONE : totalAssets() * ONE / effective;
    }

    function effectiveSupply() public view returns (uint256) {
        return totalSupply() - totalLockedShares;
    }

    function getLayer1Cash() public view returns (uint256) {
        return IERC20(asset()).balanceOf(address(this));
    }

    function getLayer1YieldAssets() public view returns (uint256) {
        return _controller().getLayerValue(Tier.TIER_1_CASH);
    }

    function getLayer1Liquidity() public view returns (uint256) {
        return getLayer1Cash() + getLayer1YieldAssets();
    }

    function getLayer2Liquidity() public view returns (uint256) {
        return _controller().getLayerValue(Tier.TIER_2_MMF);
    }

    function getLayer3Value() public view returns (uint256) {
        return _controller().getLayerValue(Tier.TIER_3_HYD);
    }

    /// @notice L1 + L2, at present prices; nothing is set aside for open redemptions.
    function getAvailableLiquidity() external view returns (uint256) {
        return getLayer1Liquidity() + getLayer2Liquidity();
    }

    function getLiquidityBreakdown()
        external
        view
        returns (uint256 layer1Cash, uint256 layer1Yield, uint256 layer2, uint256 layer3)
    {
        return (getLayer1Cash(), getLayer1YieldAssets(), getLayer2Liquidity(), getLayer3Value());
    }

    /// @notice One read for a dashboard. Mind that `totalAssets` and `sharePrice` may be cached beside fresh layers.
    function getVaultState() external view returns (VaultState memory) {
        return VaultState({
            totalAssets: totalAssets(),
            totalSupply: totalSupply(),
            sharePrice: sharePrice(),
            layer1Liquidity: getLayer1Liquidity(),
            layer2Liquidity: getLayer2Liquidity(),
            layer3Value: getLayer3Value(),
            totalRedemptionLiability: totalRedemptionLiability,
            totalLockedShares: totalLockedShares,
            emergencyMode: emergencyMode
        });
    }

    // ------------------------------------------------------------------------------------ operators: redemption

    /// @notice Takes shares out of the owner's hands; they stay in supply until burned.
    function lockShares(address owner, uint256 shares) external onlyOperator {
        uint256 available = balanceOf(owner);
        if (available < shares) revert InsufficientShares(available, shares);
        lockedSharesOf[owner] += shares;
        totalLockedShares += shares;
        _transfer(owner, address(this), shares);
        emit SharesLocked(owner, shares);
    }

    function unlockShares(address owner, uint256 shares) external onlyOperator {
        _releaseLock(owner, shares);
        _transfer(address(this), owner, shares);
        emit SharesUnlocked(owner, shares);
    }

    function burnLockedShares(address owner, uint256 shares) external onlyOperator {
        _releaseLock(owner, shares);
        _burn(address(this), shares);
        emit SharesBurned(owner, shares);
    }

    /// @notice The liability has no event of its own.
    function addRedemptionLiability(uint256 amount) external onlyOperator {
        totalRedemptionLiability += amount;
    }

    function reduceRedemptionLiability(uint256 amount) external onlyOperator {
        totalRedemptionLiability -= amount;
    }

    function addRedemptionFee(uint256 fee) external onlyOperator {
        withdrawableRedemptionFees += fee;
        totalAccumulatedRedemptionFees += fee;
        emit RedemptionFeeAdded(fee);
    }

    function reduceRedemptionFee(uint256 fee) external onlyOperator {
        withdrawableRedemptionFees -= fee;
        emit RedemptionFeeReduced(fee);
    }

    // ---------------------------------------------------------------------------------------- operators: assets

    /// @notice Lets `spender` move up to `amount` of the vault's `token`: how adapters and swaps are paid.
    function approveToken(address token, address spender, uint256 amount) external onlyOperator {
        if (token == address(0) || spender == address(0)) revert ZeroAddress();
        IERC20(token).forceApprove(spender, amount);
    }

    /// @notice Pays USDT out: redemptions and fees.
    function payOut(address to, uint256 amount) external onlyOperator {
        if (to == address(0)) revert ZeroAddress();
        IERC20(asset()).safeTransfer(to, amount);
    }

    // --------------------------------------------------------------------------------------------------- admins

    function setEmergencyMode(bool enabled) external onlyRole(ADMIN_ROLE) {
        emergencyMode = enabled;
        emit EmergencyModeChanged(enabled);
    }

    function setAssetController(address controller) external onlyRole(ADMIN_ROLE) {
        if (controller == address(0)) revert ZeroAddress();
        emit AssetControllerUpdated(assetController, controller);
        assetController = controller;
    }

    function grantOperator(address operator) external onlyRole(ADMIN_ROLE) {
        if (operator == address(0)) revert ZeroAddress();
        _grantRole(OPERATOR_ROLE, operator);
    }

    function revokeOperator(address operator) external onlyRole(ADMIN_ROLE) {
        _revokeRole(OPERATOR_ROLE, operator);
    }

    /// @notice Stops subscriptions. Redemptions are the RedemptionManager's to stop.
    function pause() external onlyRole(ADMIN_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(ADMIN_ROLE) {
        _unpause();
    }

    /// @notice The last resort. It writes no event of the vault's own, only the token's Transfer.
    function emergencyWithdraw(address token, address to, uint256 amount) external onlyRole(ADMIN_ROLE) nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        if (amount == 0) revert ZeroAmount();
        IERC20(token).safeTransfer(to, amount);
    }

    // ------------------------------------------------------------------------------------------------- internal

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override {
        if (receiver == address(0)) revert ZeroAddress();
        if (assets == 0 || shares == 0) revert ZeroAmount();
        if (assets < MINIMUM_DEPOSIT) revert DepositBelowMinimum(assets, MINIMUM_DEPOSIT);
        super._deposit(caller, receiver, assets, shares);
        emit DepositProcessed(caller, receiver, assets, shares);
    }

    function _releaseLock(address owner, uint256 shares) private {
        uint256 locked = lockedSharesOf[owner];
        if (locked < shares) revert InsufficientShares(locked, shares);
        lockedSharesOf[owner] = locked - shares;
        totalLockedShares -= shares;
    }

    function _controller() private view returns (IAssetController) {
        if (assetController == address(0)) revert AssetControllerNotSet();
        return IAssetController(assetController);
    }
}
