module eeg-emotion-copilot/tests/external/go

go 1.19
