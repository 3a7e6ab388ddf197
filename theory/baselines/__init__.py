"""Known laws in closed form: of one model, of accumulation, of Gaussian and Poisson fits, and of sharing models.

Every function states its formula and its source, and refuses arguments outside the range in which the formula holds.
`LAWS` holds them by name, for `crossfeed baseline`. NumPy floats in and out; nothing here needs JAX.
"""

from .accumulation import accumulate as accumulate
from .accumulation import accumulate_fresh as accumulate_fresh
from .accumulation import accumulate_fresh_limit as accumulate_fresh_limit
from .accumulation import accumulate_limit as accumulate_limit
from .accumulation import accumulate_mixed as accumulate_mixed
from .fresh_data import fresh_data_best_weight as fresh_data_best_weight
from .fresh_data import fresh_data_limit as fresh_data_limit
from .fresh_data import fresh_data_regression_limit as fresh_data_regression_limit
from .fresh_data import hidden_data as hidden_data
from .fresh_data import hidden_data_limit as hidden_data_limit
from .games import federation_best_weight as federation_best_weight
from .games import federation_coarse as federation_coarse
from .games import federation_uniform as federation_uniform
from .gaussian import gaussian_accumulate as gaussian_accumulate
from .gaussian import gaussian_accumulate_limit as gaussian_accumulate_limit
from .gaussian import gaussian_mean_beats_first as gaussian_mean_beats_first
from .gaussian import gaussian_replace as gaussian_replace
from .law import LAWS as LAWS
from .law import Axis as Axis
from .law import Law as Law
from .law import Parameter as Parameter
from .poisson import poisson_survival as poisson_survival
from .replacement import replace as replace
from .replacement import replace_growing as replace_growing
from .replacement import replace_overparameterized as replace_overparameterized
from .replacement import replace_two_sizes as replace_two_sizes
from .ridge import replace_ridge as replace_ridge
from .shared_pools import homogenization_price as homogenization_price
from .shared_pools import pool_accumulate as pool_accumulate
from .shared_pools import pool_accumulate_amplification as pool_accumulate_amplification
from .shared_pools import pool_accumulate_fresh as pool_accumulate_fresh
from .shared_pools import pool_accumulate_fresh_limit as pool_accumulate_fresh_limit
from .shared_pools import pool_accumulate_limit as pool_accumulate_limit
from .shared_pools import pool_accumulate_shares as pool_accumulate_shares
from .shared_pools import pool_accumulate_shares_limit as pool_accumulate_shares_limit
from .shared_pools import pool_recursion_shares as pool_recursion_shares
from .subsampling import subsample as subsample
from .subsampling import subsample_limit as subsample_limit
