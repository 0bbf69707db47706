// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IOracleAdapter} from "./interfaces/IOracleAdapter.sol";
import {IOTCManager} from "./interfaces/IOTCManager.sol";
import {IPurchaseAdapter, IYieldAdapter} from "./interfaces/IPurchaseAdapter.sol";
import {ISwapHelper} from "./interfaces/ISwapHelper.sol";
import {IVault} from "./interfaces/IVault.sol";
import {ZeroAddress} from "./libraries/Errors.sol";
import {FundAccess} from "./libraries/FundAccess.sol";
import {BASIS_POINTS, PurchaseMethod, Tier} from "./libraries/Types.sol";

/// @title What the fund owns beside cash, and how it is bought, sold, valued and charged for
/// @notice The vault holds every token; this contract, as the vault's operator, approves the vault's tokens to the swap
/// helper, an asset's adapter or the OTC manager, which pull from the vault and pay the vault.
///
/// Much of this succeeds without doing anything: a purchase below the asset's minimum, a waterfall with nothing to sell, an
/// allocation to an empty layer. Callers compare returned values and balances, never only the receipt.
contract AssetController is FundAccess, Pausable, ReentrancyGuard {
    struct AssetConfig {
        address token;
        Tier tier;
        uint256 targetAllocation;
        bool isActive;
        address purchaseAdapter;
        uint8 decimals;
        PurchaseMethod purchaseMethod;
        uint256 maxSlippage;
        uint256 minPurchaseAmount;
        uint256 subscriptionStart;
        uint256 subscriptionEnd;
    }

    struct LayerConfig {
        uint256 targetRatio;
        uint256 minRatio;
        uint256 maxRatio;
    }

    uint256 public constant CACHE_DURATION = 5 minutes;
    uint256 public constant MANAGEMENT_FEE_BPS = 50;
    uint256 public constant PERFORMANCE_FEE_BPS = 1_000;
    uint256 public constant MAX_SLIPPAGE_BPS = 1_000;

    IVault public immutable vault;
    address private immutable _usdt;

    address public oracleAdapter;
    address public swapHelper;
    address public otcManager;
    address public assetScheduler;
    address public feeRecipient;
    uint256 public defaultSwapSlippage = 100;

    uint256 public lastFeeCollectionTime;
    uint256 public accumulatedManagementFees;
    uint256 public accumulatedPerformanceFees;
    /// Starts at 0 and is compared with the TOTAL value of L3, so that buying L3 looks like a gain unless the mark moves too.
    uint256 public layer3HighWaterMark;

    uint256 private _cachedValue;
    uint256 private _cachedUntil;

    /// Every asset ever added, removed ones included (isActive = false).
    address[] private _assets;
    mapping(address token => AssetConfig) private _configs;
    mapping(Tier tier => address[]) private _layerAssets;
    mapping(Tier tier => LayerConfig) private _layerConfigs;

    event AssetAdded(address indexed token, Tier tier, uint256 allocation);
    event AssetRemoved(address indexed token);
    event AssetAllocationUpdated(address indexed token, uint256 oldAllocation, uint256 newAllocation);
    event AssetAdapterUpdated(address indexed token, address indexed oldAdapter, address indexed newAdapter);
    event AssetPurchased(address indexed token, Tier tier, uint256 usdtAmount, uint256 tokensReceived);
    event AssetRedeemed(address indexed token, Tier tier, uint256 tokenAmount, uint256 usdtReceived);
    event PurchaseRouted(
        address indexed token, Tier indexed tier, PurchaseMethod method, uint256 usdtAmount, uint256 tokensReceived
    );
    event WaterfallLiquidation(Tier tier, address indexed token, uint256 amountLiquidated, uint256 usdtReceived);
    event BufferPoolRebalanced(uint256 oldBuffer, uint256 newBuffer, uint256 targetBuffer);
    event LayerConfigUpdated(Tier indexed tier, uint256 targetRatio, uint256 minRatio, uint256 maxRatio);
    event ManagementFeeCollected(uint256 feeAmount, uint256 totalAssets, uint256 period);
    event PerformanceFeeCollected(uint256 feeAmount, uint256 profit, uint256 newHighWaterMark);
    event FeeRecipientUpdated(address indexed oldRecipient, address indexed newRecipient);
    event RedemptionFeesWithdrawn(address indexed recipient, uint256 amount);
    event OracleAdapterUpdated(address indexed oldAdapter, address indexed newAdapter);
    event SwapHelperUpdated(address indexed oldHelper, address indexed newHelper);
    event OTCManagerUpdated(address indexed oldManager, address indexed newManager);
    event AssetSchedulerUpdated(address indexed oldScheduler, address indexed newScheduler);
    event YieldCompounded(address indexed token, uint256 yieldAmount, uint256 sharesIssued);

    error AssetAlreadyExists(address token);
    error AssetNotFound(address token);
    error AssetNotPurchasable(address token);
    error InvalidAllocation(uint256 bps);
    error InvalidLayerRatios();
    error OracleNotConfigured();
    error SwapHelperNotConfigured();
    error OTCManagerNotConfigured();
    error AssetAdapterNotConfigured(address token);
    error SubscriptionWindowClosed(address token, uint256 start, uint256 end, uint256 currentTime);
    error NotEnoughAvailableCash(uint256 requested, uint256 available);
    error SlippageTooHigh(uint256 provided, uint256 max);
    error FeeRecipientNotSet();
    error NoFeesToCollect();

    constructor(IVault vault_, address admin) FundAccess(admin) {
        if (address(vault_) == address(0)) revert ZeroAddress();
        vault = vault_;
        _usdt = vault_.asset();
        lastFeeCollectionTime = block.timestamp;
        // The first bands have no event: they are known from a read only.
        _layerConfigs[Tier.TIER_1_CASH] = LayerConfig(1_000, 500, 3_000);
        _layerConfigs[Tier.TIER_2_MMF] = LayerConfig(3_000, 1_000, 5_000);
        _layerConfigs[Tier.TIER_3_HYD] = LayerConfig(6_000, 3_000, 8_000);
    }

    // ------------------------------------------------------------------------------------------ buying, selling

    /// @notice Spreads `amount` over a layer's assets by their allocations; passes over what cannot be bought now. Logs
    /// PurchaseRouted for each purchase, and no AssetPurchased.
    function allocateToLayer(Tier tier, uint256 amount)
        external
        onlyRole(REBALANCER_ROLE)
        nonReentrant
        whenNotPaused
        returns (uint256 allocated)
    {
        _requireCash(amount);
        address[] memory tokens = _layerAssets[tier];
        uint256 weights = _allocationsOf(tokens);
        if (weights == 0) return 0;
        for (uint256 i = 0; i < tokens.length; i++) {
            AssetConfig storage config = _configs[tokens[i]];
            uint256 part = amount * config.targetAllocation / weights;
            if (!_isBuyable(config, part)) continue;
            _buy(config, part);
            allocated += part;
        }
    }

    /// @notice Logs PurchaseRouted and AssetPurchased for one purchase. Below the asset's minimum nothing is bought and
    /// AssetPurchased says (…, 0, 0).
    function purchaseAsset(address token, uint256 usdtAmount)
        external
        onlyRole(REBALANCER_ROLE)
        nonReentrant
        whenNotPaused
        returns (uint256 tokensReceived)
    {
        AssetConfig storage config = _purchasable(token);
        _requireCash(usdtAmount);
        if (usdtAmount == 0 || usdtAmount < config.minPurchaseAmount) {
            emit AssetPurchased(token, config.tier, 0, 0);
            return 0;
        }
        tokensReceived = _buy(config, usdtAmount);
        emit AssetPurchased(token, config.tier, usdtAmount, tokensReceived);
    }

    /// @notice The only way to sell L3, besides OTC.
    function redeemAsset(address token, uint256 tokenAmount)
        external
        onlyRole(REBALANCER_ROLE)
        nonReentrant
        whenNotPaused
        returns (uint256 usdtReceived)
    {
        AssetConfig storage config = _known(token);
        PurchaseMethod route = _routeOf(config);
        address market = _approveMarket(config, route, token, tokenAmount);
        usdtReceived = route == PurchaseMethod.OTC
            ? IPurchaseAdapter(market).redeem(tokenAmount)
            : ISwapHelper(market).sellRWAAsset(token, _usdt, tokenAmount, _slippageOf(config));
        emit AssetRedeemed(token, config.tier, tokenAmount, usdtReceived);
    }

    /// @notice Raises cash from L1 yield, then from L2 if `maxTier` allows. Never from L3, whatever `maxTier` says. A sale
    /// that fails is passed over. Not stopped by the pause. May raise less than needed, or nothing.
    function executeWaterfallLiquidation(uint256 amountNeeded, Tier maxTier)
        external
        onlyRole(REBALANCER_ROLE)
        nonReentrant
        returns (uint256 funded)
    {
        funded = _liquidateLayer(Tier.TIER_1_CASH, amountNeeded);
        if (maxTier != Tier.TIER_1_CASH && funded < amountNeeded) {
            funded += _liquidateLayer(Tier.TIER_2_MMF, amountNeeded - funded);
        }
    }

    /// @notice Refills L1 from L2 up to its target; does nothing, silently, when L1 is at its target.
    function rebalanceBuffer() external onlyRole(REBALANCER_ROLE) nonReentrant {
        (,, uint256 buffer, uint256 target,,) = getBufferPoolInfo();
        if (buffer >= target) return;
        _liquidateLayer(Tier.TIER_2_MMF, target - buffer);
        emit BufferPoolRebalanced(buffer, vault.getLayer1Cash() + getLayerValue(Tier.TIER_1_CASH), target);
    }

    /// @notice Collects what the adapters of yield-paying assets have earned; adapters without yield are passed over.
    function compoundYield() external onlyRole(REBALANCER_ROLE) nonReentrant {
        for (uint256 i = 0; i < _assets.length; i++) {
            AssetConfig storage config = _configs[_assets[i]];
            if (!config.isActive || config.purchaseAdapter == address(0)) continue;
            try IYieldAdapter(config.purchaseAdapter).compound() returns (uint256 yieldAmount, uint256 sharesIssued) {
                if (sharesIssued > 0) emit YieldCompounded(config.token, yieldAmount, sharesIssued);
            } catch {}
        }
    }

    // ------------------------------------------------------------------------------------------------------ OTC

    function createOTCOrder(
        address token,
        uint256 usdtAmount,
        uint256 expectedTokens,
        address counterparty,
        uint256 expiresIn
    ) external onlyRole(REBALANCER_ROLE) nonReentrant whenNotPaused returns (uint256 orderId) {
        _purchasable(token);
        return _otc().createOrder(token, usdtAmount, expectedTokens, counterparty, expiresIn);
    }

    /// @notice From here until delivery the money is out and the tokens are not in: gross assets are lower by the amount.
    function executeOTCPayment(uint256 orderId) external onlyRole(REBALANCER_ROLE) nonReentrant whenNotPaused {
        IOTCManager manager = _otc();
        uint256 amount = manager.getOrder(orderId).usdtAmount;
        _requireCash(amount);
        vault.approveToken(_usdt, address(manager), amount);
        manager.executePayment(orderId);
    }

    function confirmOTCDelivery(uint256 orderId, uint256 actualTokens) external onlyRole(REBALANCER_ROLE) nonReentrant {
        _otc().confirmDelivery(orderId, actualTokens);
    }

    // ---------------------------------------------------------------------------------------------------- value

    /// @notice All assets beside cash. For five minutes after `refreshCache` it is the value cached then, whatever has been
    /// bought, sold or repriced since.
    function calculateAssetValue() public view returns (uint256) {
        return block.timestamp < _cachedUntil ? _cachedValue : _freshValue();
    }

    /// @notice Anyone may freeze the value for five minutes. No event.
    function refreshCache() external {
        _cachedValue = _freshValue();
        _cachedUntil = block.timestamp + CACHE_DURATION;
    }

    /// @notice A layer's assets beside cash at present prices, never cached.
    function getLayerValue(Tier tier) public view returns (uint256 value) {
        address[] memory tokens = _layerAssets[tier];
        for (uint256 i = 0; i < tokens.length; i++) {
            value += _valueOf(_configs[tokens[i]]);
        }
    }

    function getLayerAssets(Tier tier) external view returns (address[] memory) {
        return _layerAssets[tier];
    }

    function getAssetConfigs() external view returns (AssetConfig[] memory configs) {
        configs = new AssetConfig[](_assets.length);
        for (uint256 i = 0; i < configs.length; i++) {
            configs[i] = _configs[_assets[i]];
        }
    }

    function getLayerConfigs()
        external
        view
        returns (LayerConfig memory layer1, LayerConfig memory layer2, LayerConfig memory layer3)
    {
        return (_layerConfigs[Tier.TIER_1_CASH], _layerConfigs[Tier.TIER_2_MMF], _layerConfigs[Tier.TIER_3_HYD]);
    }

    /// @notice Whether the three targets add up to the whole. Layers are configured one by one, so between two calls they
    /// may not.
    function validateLayerRatios() external view returns (bool) {
        return _layerConfigs[Tier.TIER_1_CASH].targetRatio + _layerConfigs[Tier.TIER_2_MMF].targetRatio
                + _layerConfigs[Tier.TIER_3_HYD].targetRatio == BASIS_POINTS;
    }

    /// @notice The buffer is L1: cash and instantly redeemable yield, against its target share of gross assets.
    function getBufferPoolInfo()
        public
        view
        returns (uint256 cash, uint256 yield, uint256 total, uint256 target, uint256 ratio, bool needsRebalance)
    {
        cash = vault.getLayer1Cash();
        yield = getLayerValue(Tier.TIER_1_CASH);
        total = cash + yield;
        uint256 gross = vault.grossAssets();
        target = gross * _layerConfigs[Tier.TIER_1_CASH].targetRatio / BASIS_POINTS;
        ratio = gross == 0 ? 0 : total * BASIS_POINTS / gross;
        needsRebalance = total < target;
    }

    // ----------------------------------------------------------------------------------------------------- fees

    /// @notice 0.5 % a year of net assets plus redemption liability, by time. Anyone may call.
    function accrueManagementFee() public {
        (uint256 fee, uint256 base, uint256 period) = _managementFeeDue();
        lastFeeCollectionTime = block.timestamp;
        if (fee == 0) return;
        accumulatedManagementFees += fee;
        emit ManagementFeeCollected(fee, base, period);
    }

    /// @notice 10 % of the rise of the total L3 value above its mark, bought or earned alike. Anyone may call.
    function accruePerformanceFee() public {
        (uint256 fee, uint256 profit) = _performanceFeeDue();
        if (profit == 0) return;
        layer3HighWaterMark += profit;
        accumulatedPerformanceFees += fee;
        emit PerformanceFeeCollected(fee, profit, layer3HighWaterMark);
    }

    /// @notice Pays accrued fees out. Beside the accruals the only trace is the USDT Transfer.
    function collectFees() external onlyRole(ADMIN_ROLE) nonReentrant {
        if (feeRecipient == address(0)) revert FeeRecipientNotSet();
        accrueManagementFee();
        accruePerformanceFee();
        uint256 total = accumulatedManagementFees + accumulatedPerformanceFees;
        if (total == 0) revert NoFeesToCollect();
        _requireCash(total);
        accumulatedManagementFees = 0;
        accumulatedPerformanceFees = 0;
        vault.payOut(feeRecipient, total);
    }

    function withdrawRedemptionFees(uint256 amount) external onlyRole(ADMIN_ROLE) nonReentrant {
        if (feeRecipient == address(0)) revert FeeRecipientNotSet();
        uint256 withdrawable = vault.withdrawableRedemptionFees();
        if (amount == 0) revert NoFeesToCollect();
        if (amount > withdrawable) revert NotEnoughAvailableCash(amount, withdrawable);
        vault.reduceRedemptionFee(amount);
        vault.payOut(feeRecipient, amount);
        emit RedemptionFeesWithdrawn(feeRecipient, amount);
    }

    /// @notice Accrued and accruing, as if collected now.
    function getPendingFees()
        external
        view
        returns (uint256 management, uint256 performance, uint256 total, uint256 lastCollection, uint256 highWaterMark)
    {
        (uint256 managementDue,,) = _managementFeeDue();
        (uint256 performanceDue,) = _performanceFeeDue();
        management = accumulatedManagementFees + managementDue;
        performance = accumulatedPerformanceFees + performanceDue;
        return (management, performance, management + performance, lastFeeCollectionTime, layer3HighWaterMark);
    }

    /// @notice `withdrawn` is always 0: nobody keeps count of it.
    function getRedemptionFeeInfo() external view returns (uint256 total, uint256 withdrawable, uint256 withdrawn) {
        return (vault.totalAccumulatedRedemptionFees(), vault.withdrawableRedemptionFees(), 0);
    }

    // --------------------------------------------------------------------------------------------------- assets

    function addAsset(address token, Tier tier, uint256 allocation, address adapter) external onlyRole(ADMIN_ROLE) {
        _add(token, tier, allocation, adapter);
    }

    function addAssetSimple(address token, Tier tier, uint256 allocation) external onlyRole(ADMIN_ROLE) {
        _add(token, tier, allocation, address(0));
    }

    /// @notice What is left of it in the vault no longer counts as an asset, but can still be redeemed.
    function removeAsset(address token) external onlyRole(ADMIN_ROLE) {
        AssetConfig storage config = _active(token);
        config.isActive = false;
        address[] storage tokens = _layerAssets[config.tier];
        for (uint256 i = 0; i < tokens.length; i++) {
            if (tokens[i] == token) {
                tokens[i] = tokens[tokens.length - 1];
                tokens.pop();
                break;
            }
        }
        emit AssetRemoved(token);
    }

    function updateAssetAllocation(address token, uint256 allocation) external onlyRole(REBALANCER_ROLE) {
        AssetConfig storage config = _active(token);
        if (allocation > BASIS_POINTS) revert InvalidAllocation(allocation);
        emit AssetAllocationUpdated(token, config.targetAllocation, allocation);
        config.targetAllocation = allocation;
    }

    function setAssetAdapter(address token, address adapter) external onlyRole(ADMIN_ROLE) {
        AssetConfig storage config = _active(token);
        emit AssetAdapterUpdated(token, config.purchaseAdapter, adapter);
        config.purchaseAdapter = adapter;
    }

    /// @notice No event. A slippage of 0 means the default; a window of 0–0 means always open.
    function setAssetPurchaseConfig(
        address token,
        PurchaseMethod method,
        uint256 maxSlippage,
        uint256 minPurchaseAmount,
        uint256 subscriptionStart,
        uint256 subscriptionEnd
    ) external onlyRole(ADMIN_ROLE) {
        AssetConfig storage config = _active(token);
        _requireSlippage(maxSlippage);
        config.purchaseMethod = method;
        config.maxSlippage = maxSlippage;
        config.minPurchaseAmount = minPurchaseAmount;
        config.subscriptionStart = subscriptionStart;
        config.subscriptionEnd = subscriptionEnd;
    }

    function setLayerConfig(Tier tier, uint256 targetRatio, uint256 minRatio, uint256 maxRatio)
        external
        onlyRole(ADMIN_ROLE)
    {
        if (minRatio > targetRatio || targetRatio > maxRatio || maxRatio > BASIS_POINTS) {
            revert InvalidLayerRatios();
        }
        _layerConfigs[tier] = LayerConfig(targetRatio, minRatio, maxRatio);
        emit LayerConfigUpdated(tier, targetRatio, minRatio, maxRatio);
    }

    // ------------------------------------------------------------------------------------------------- settings

    function setFeeRecipient(address recipient) external onlyRole(ADMIN_ROLE) {
        _requireAddress(recipient);
        emit FeeRecipientUpdated(feeRecipient, recipient);
        feeRecipient = recipient;
    }

    /// @notice No event.
    function setLayer3HighWaterMark(uint256 mark) external onlyRole(ADMIN_ROLE) {
        layer3HighWaterMark = mark;
    }

    /// @notice No event.
    function setDefaultSwapSlippage(uint256 slippageBps) external onlyRole(ADMIN_ROLE) {
        _requireSlippage(slippageBps);
        defaultSwapSlippage = slippageBps;
    }

    function setOracleAdapter(address adapter) external onlyRole(ADMIN_ROLE) {
        _requireAddress(adapter);
        emit OracleAdapterUpdated(oracleAdapter, adapter);
        oracleAdapter = adapter;
    }

    function setSwapHelper(address helper) external onlyRole(ADMIN_ROLE) {
        _requireAddress(helper);
        emit SwapHelperUpdated(swapHelper, helper);
        swapHelper = helper;
    }

    function setOTCManager(address manager) external onlyRole(ADMIN_ROLE) {
        _requireAddress(manager);
        emit OTCManagerUpdated(otcManager, manager);
        otcManager = manager;
    }

    function setAssetScheduler(address scheduler) external onlyRole(ADMIN_ROLE) {
        _requireAddress(scheduler);
        emit AssetSchedulerUpdated(assetScheduler, scheduler);
        assetScheduler = scheduler;
    }

    /// @notice Stops purchases, `allocateToLayer` and `redeemAsset`; neither the waterfall nor the buffer.
    function pause() external onlyRole(ADMIN_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(ADMIN_ROLE) {
        _unpause();
    }

    // ------------------------------------------------------------------------------- internal: buying, selling

    function _buy(AssetConfig storage config, uint256 usdtAmount) private returns (uint256 tokensReceived) {
        PurchaseMethod route = _routeOf(config);
        address market = _approveMarket(config, route, _usdt, usdtAmount);
        tokensReceived = route == PurchaseMethod.OTC
            ? IPurchaseAdapter(market).purchase(usdtAmount)
            : ISwapHelper(market).buyRWAAsset(_usdt, config.token, usdtAmount, _slippageOf(config));
        emit PurchaseRouted(config.token, config.tier, route, usdtAmount, tokensReceived);
    }

    function _liquidateLayer(Tier tier, uint256 amountNeeded) private returns (uint256 funded) {
        address[] memory tokens = _layerAssets[tier];
        for (uint256 i = 0; i < tokens.length && funded < amountNeeded; i++) {
            funded += _liquidate(_configs[tokens[i]], amountNeeded - funded);
        }
    }

    /// Sells enough of one asset for `amountNeeded` even at the worst price its slippage allows, or all there is.
    function _liquidate(AssetConfig storage config, uint256 amountNeeded) private returns (uint256 usdtReceived) {
        uint256 amount = _tokensWorth(config, amountNeeded * BASIS_POINTS / (BASIS_POINTS - _slippageOf(config)));
        amount = Math.min(amount, _balanceOf(config.token));
        if (amount == 0) return 0;
        usdtReceived = _trySell(config, amount);
        if (usdtReceived > 0) emit WaterfallLiquidation(config.tier, config.token, amount, usdtReceived);
    }

    /// One asset that cannot be sold now must not hold up the sale of the others.
    function _trySell(AssetConfig storage config, uint256 amount) private returns (uint256) {
        PurchaseMethod route = _routeOf(config);
        address market = route == PurchaseMethod.OTC ? config.purchaseAdapter : swapHelper;
        if (market == address(0)) return 0;
        vault.approveToken(config.token, market, amount);
        if (route == PurchaseMethod.OTC) {
            try IPurchaseAdapter(market).redeem(amount) returns (uint256 received) {
                return received;
            } catch {}
        } else {
            try ISwapHelper(market).sellRWAAsset(config.token, _usdt, amount, _slippageOf(config)) returns (
                uint256 received
            ) {
                return received;
            } catch {}
        }
        vault.approveToken(config.token, market, 0);
        return 0;
    }

    /// AUTO takes the asset's own adapter where it has one, else the swap helper.
    function _routeOf(AssetConfig storage config) private view returns (PurchaseMethod) {
        if (config.purchaseMethod != PurchaseMethod.AUTO) return config.purchaseMethod;
        return config.purchaseAdapter == address(0) ? PurchaseMethod.SWAP : PurchaseMethod.OTC;
    }

    function _approveMarket(AssetConfig storage config, PurchaseMethod route, address token, uint256 amount)
        private
        returns (address market)
    {
        if (route == PurchaseMethod.OTC) {
            market = config.purchaseAdapter;
            if (market == address(0)) revert AssetAdapterNotConfigured(config.token);
        } else {
            market = swapHelper;
            if (market == address(0)) revert SwapHelperNotConfigured();
        }
        vault.approveToken(token, market, amount);
    }

    function _slippageOf(AssetConfig storage config) private view returns (uint256) {
        return config.maxSlippage == 0 ? defaultSwapSlippage : config.maxSlippage;
    }

    function _isBuyable(AssetConfig storage config, uint256 amount) private view returns (bool) {
        bool reachable = _routeOf(config) == PurchaseMethod.SWAP || config.purchaseAdapter != address(0);
        return reachable && amount > 0 && amount >= config.minPurchaseAmount && _isWindowOpen(config);
    }

    function _isWindowOpen(AssetConfig storage config) private view returns (bool) {
        return block.timestamp >= config.subscriptionStart
            && (config.subscriptionEnd == 0 || block.timestamp <= config.subscriptionEnd);
    }

    function _allocationsOf(address[] memory tokens) private view returns (uint256 sum) {
        for (uint256 i = 0; i < tokens.length; i++) {
            sum += _configs[tokens[i]].targetAllocation;
        }
    }

    /// Redemption fees are in the vault but not the fund's; everything else may be spent, reserved for redemptions or not.
    function _requireCash(uint256 amount) private view {
        uint256 cash = vault.getLayer1Cash();
        uint256 fees = vault.withdrawableRedemptionFees();
        uint256 available = cash > fees ? cash - fees : 0;
        if (amount > available) revert NotEnoughAvailableCash(amount, available);
    }

    // ---------------------------------------------------------------------------------- internal: value, fees

    function _freshValue() private view returns (uint256) {
        return getLayerValue(Tier.TIER_1_CASH) + getLayerValue(Tier.TIER_2_MMF) + getLayerValue(Tier.TIER_3_HYD);
    }

    function _valueOf(AssetConfig storage config) private view returns (uint256) {
        uint256 balance = _balanceOf(config.token);
        return balance == 0 ? 0 : Math.mulDiv(balance, _priceOf(config.token), 10 ** config.decimals);
    }

    /// Rounded up, so that the sale never falls one unit short.
    function _tokensWorth(AssetConfig storage config, uint256 usdtAmount) private view returns (uint256) {
        return Math.mulDiv(usdtAmount, 10 ** config.decimals, _priceOf(config.token), Math.Rounding.Ceil);
    }

    function _priceOf(address token) private view returns (uint256) {
        if (oracleAdapter == address(0)) revert OracleNotConfigured();
        return IOracleAdapter(oracleAdapter).getPrice(token);
    }

    function _balanceOf(address token) private view returns (uint256) {
        return IERC20Metadata(token).balanceOf(address(vault));
    }

    function _managementFeeDue() private view returns (uint256 fee, uint256 base, uint256 period) {
        period = block.timestamp - lastFeeCollectionTime;
        base = vault.totalAssets() + vault.totalRedemptionLiability();
        fee = base * MANAGEMENT_FEE_BPS * period / (BASIS_POINTS * 365 days);
    }

    function _performanceFeeDue() private view returns (uint256 fee, uint256 profit) {
        uint256 value = getLayerValue(Tier.TIER_3_HYD);
        profit = value > layer3HighWaterMark ? value - layer3HighWaterMark : 0;
        fee = profit * PERFORMANCE_FEE_BPS / BASIS_POINTS;
    }

    // ---------------------------------------------------------------------------------------- internal: look-up

    function _add(address token, Tier tier, uint256 allocation, address adapter) private {
        _requireAddress(token);
        if (allocation > BASIS_POINTS) revert InvalidAllocation(allocation);
        AssetConfig storage config = _configs[token];
        if (config.isActive) revert AssetAlreadyExists(token);
        if (config.token == address(0)) _assets.push(token);
        _configs[token] = AssetConfig({
            token: token,
            tier: tier,
            targetAllocation: allocation,
            isActive: true,
            purchaseAdapter: adapter,
            decimals: IERC20Metadata(token).decimals(),
            purchaseMethod: PurchaseMethod.AUTO,
            maxSlippage: 0,
            minPurchaseAmount: 0,
            subscriptionStart: 0,
            subscriptionEnd: 0
        });
        _layerAssets[tier].push(token);
        emit AssetAdded(token, tier, allocation);
    }

    function _known(address token) private view returns (AssetConfig storage config) {
        config = _configs[token];
        if (config.token == address(0)) revert AssetNotFound(token);
    }

    function _active(address token) private view returns (AssetConfig storage config) {
        config = _configs[token];
        if (!config.isActive) revert AssetNotFound(token);
    }

    /// Known, still on the list, and its subscription window (if it has one) open.
    function _purchasable(address token) private view returns (AssetConfig storage config) {
        config = _known(token);
        if (!config.isActive) revert AssetNotPurchasable(token);
        if (!_isWindowOpen(config)) {
            revert SubscriptionWindowClosed(token, config.subscriptionStart, config.subscriptionEnd, block.timestamp);
        }
    }

    function _otc() private view returns (IOTCManager) {
        if (otcManager == address(0)) revert OTCManagerNotConfigured();
        return IOTCManager(otcManager);
    }

    function _requireAddress(address account) private pure {
        if (account == address(0)) revert ZeroAddress();
    }

    function _requireSlippage(uint256 slippageBps) private pure {
        if (slippageBps > MAX_SLIPPAGE_BPS) revert SlippageTooHigh(slippageBps, MAX_SLIPPAGE_BPS);
    }
}
