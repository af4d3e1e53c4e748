"""Types that a stored scikit-learn model may name, reviewed one by one.

skops trusts scikit-learn's public estimators, numpy's types and plain containers by itself. These
are what the estimators hold besides: classes whose state is data, and functions that compute from
their arguments alone. None opens a file or a connection, starts a process or evaluates text, also
when called with arguments of a forger's choice, which is what trust means to skops. A tree with
forged node numbers can crash the process that predicts with it; the digest, checked before
anything is read, is what stands against forgery here.
"""

from __future__ import annotations


def _names(module: str, names: str) -> list[str]:
    return [f"{module}.{name}" for name in names.split()]


TRUSTED = frozenset(
    [
        *_names("builtins", "frozenset complex"),
        *_names("collections", "OrderedDict"),
        *_names("functools", "partial"),  # of a function that is trusted itself
        *_names("sklearn.utils.validation", "check_array"),
        *_names("numpy", "dtype mean median max min sum"),
        *_names("scipy._lib.array_api_compat.numpy._aliases", "asarray"),
        *_names("scipy.interpolate._bsplines", "BSpline"),
        *_names("scipy.sparse._csr", "csr_matrix csr_array"),
        *_names("scipy.sparse._csc", "csc_matrix csc_array"),
        *_names("scipy.sparse._coo", "coo_matrix coo_array"),
        # trees and boosting
        *_names("sklearn.tree._tree", "Tree"),
        *_names("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor"),
        *_names("sklearn.ensemble._hist_gradient_boosting.binning", "_BinMapper"),
        *_names(
            "sklearn._loss.link",
            "IdentityLink LogLink LogitLink HalfLogitLink MultinomialLogit Interval",
        ),
        *_names(
            "sklearn._loss.loss",
            "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss "
            "HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss "
            "PinballLoss",
        ),
        # columns and composition
        *_names("sklearn.compose._column_transformer", "make_column_selector _RemainderColsList"),
        *_names("sklearn.utils._bunch", "Bunch"),
        *_names("sklearn.utils._metadata_requests", "MetadataRequest MethodMetadataRequest"),
        *_names("sklearn.multiclass", "_ConstantPredictor"),
        *_names(
            "sklearn.calibration",
            "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
        ),
        # neighbours and clusters
        *_names("sklearn.neighbors._kd_tree", "KDTree KDTree32 KDTree64"),
        *_names("sklearn.neighbors._ball_tree", "BallTree BallTree32 BallTree64"),
        *_names(
            "sklearn.metrics._dist_metrics",
            "EuclideanDistance32 EuclideanDistance64 ManhattanDistance32 ManhattanDistance64 "
            "ChebyshevDistance32 ChebyshevDistance64 MinkowskiDistance32 MinkowskiDistance64 "
            "HaversineDistance32 HaversineDistance64",
        ),
        *_names("sklearn.cluster._bisect_k_means", "_BisectingTree"),
        *_names("sklearn.cluster._kmeans", "_kmeans_single_lloyd _kmeans_single_elkan"),
        # Gaussian processes and networks
        *_names("sklearn.gaussian_process._gpc", "_BinaryGaussianProcessClassifierLaplace"),
        *_names(
            "sklearn.gaussian_process.kernels",
            "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation "
            "Hyperparameter Matern PairwiseKernel Product RBF RationalQuadratic Sum WhiteKernel",
        ),
        *_names("sklearn.neural_network._stochastic_optimizers", "AdamOptimizer SGDOptimizer"),
        # search and selection
        *_names(
            "sklearn.model_selection._split",
            "GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut LeavePGroupsOut "
            "LeavePOut PredefinedSplit RepeatedKFold RepeatedStratifiedKFold ShuffleSplit "
            "StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit",
        ),
        *_names(
            "sklearn.metrics._scorer",
            "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer",
        ),
        *_names(
            "sklearn.metrics._classification",
            "accuracy_score balanced_accuracy_score brier_score_loss cohen_kappa_score f1_score "
            "fbeta_score jaccard_score log_loss matthews_corrcoef precision_score recall_score",
        ),
        *_names(
            "sklearn.metrics._ranking",
            "average_precision_score roc_auc_score top_k_accuracy_score",
        ),
        *_names(
            "sklearn.metrics._regression",
            "explained_variance_score max_error mean_absolute_error "
            "mean_absolute_percentage_error mean_gamma_deviance mean_pinball_loss "
            "mean_poisson_deviance mean_squared_error mean_squared_log_error "
            "mean_tweedie_deviance median_absolute_error r2_score root_mean_squared_error "
            "root_mean_squared_log_error",
        ),
        *_names(
            "sklearn.feature_selection._univariate_selection",
            "chi2 f_classif f_oneway f_regression r_regression",
        ),
        *_names(
            "sklearn.feature_selection._mutual_info", "mutual_info_classif mutual_info_regression"
        ),
    ]
)
