"""The production of the browser test of the room Experiments: what runs them, and the model they are for."""

from iop import Production

import bo
import bp
from settinglines import format_lines

experiments = Production("Experiments.Production")
experiments.process("Experiments", bp.ExperimentProcess, settings={"Experiments": "Steps"})
experiments.operation(
    "Steps", bo.ExperimentOperation, pool_size=2, settings={"%settings": format_lines({"candidate_of": "reviews"})}
)
experiments.operation(
    "Tuning", bo.TuningOperation, settings={"%settings": format_lines({"model_name": "reviews", "num_labels": "5"})}
)
PRODUCTIONS = [experiments]
ROOMS = ["rooms.models", "rooms.experiments"]
