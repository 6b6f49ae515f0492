"""Where a corpus comes from: FACED's features, a table of labels, a BIDS folder. Each gives stretches of EEG text."""
