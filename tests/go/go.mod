module eeg-emotion-copilot/tests/go

go 1.19
