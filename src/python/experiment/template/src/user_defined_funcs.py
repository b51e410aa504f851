"""What is particular about this experiment: five functions, which the pipeline calls.

Each of them works as it stands. Change one, and only the steps that need it run again.

`config` knows the experiment: config["training.EPOCHS"] is a value of settings.ini, config.user its section [user],
config.labels the labels in the order of their ids, config.model_name and config.model_folder the model at hand,
config.seed, config.experiment, config.use_case and config.run.
"""

from experiment import encoding, models, sources


def reconcile(config):
    """Collect the raw records and their labels.

    Return or yield records, one at a time: {"id": "17", "text": "...", "label": "good"}; "split": "test" puts a
    record into the test set. The default reads what [data] names: files, tables, and labels that are joined with them.
    What else this reads, the pipeline cannot know: delete data/reconciled_artifacts to have it read anew.
    """
    return sources.records(config)


def get_dataset_features(config):
    """The schema of the encoded rows: a datasets.Features.

    `labels` must be there: the number of the label. With `document` (the number of a record, which `encode_data` gets
    as `row`) a record may have several rows, its windows; without it, it has one.
    """
    return encoding.features(config)


def encode_data(batch, config):
    """Encode a batch of records: {"id": [...], "text": [...], "label": [...], "row": [...]}.

    Return columns whose names are those of the schema. Nothing but the batch and `config` may decide over them: they
    are kept, and used by every model that reads texts in the same way.
    """
    return encoding.encode(batch, config)


def load_model(config, model_name, num_labels, id2label):
    """A new model, a torch.nn.Module, for so many labels.

    Its `forward` takes the keys of `ordered_model_input_keys`, and returns logits (rows, num_labels), or what has them
    as `.logits`. The loss is the pipeline's.
    """
    return models.load(config, model_name, num_labels, id2label)


def ordered_model_input_keys(config):
    """The keys of an encoded row in the order of the model's `forward`."""
    return list(encoding.KEYS)
