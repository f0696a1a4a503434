"""What every room of the framework shares: types, engines, the sandbox, tasks, the meter, the runner."""
