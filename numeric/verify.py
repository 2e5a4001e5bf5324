from numeric.verifying import *
from numeric.verifying import verify
