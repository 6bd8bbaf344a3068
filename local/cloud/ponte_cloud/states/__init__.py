"""Step Functions, again: an interpreter that remembers every step, on top of the emulator's expression evaluators.

Stock: runs each execution once, in a thread, from memory. It loses executions when the emulator ends, never fires
HeartbeatSeconds or a machine's TimeoutSeconds, gives every retry the same task token, does not stop what StopExecution
stops, and ignores ItemBatcher, ResultWriter, MaxDelaySeconds and JSONPath variables.

Here every result, deadline, name and token goes to a journal under the path of its step. After a restart the definition
is interpreted from its start again, and a step that the journal knows returns at once: so an execution continues
where it was, with the same tokens. A task that was in flight runs again, as it may on AWS: at least once.

Left as it is: the emulator's JSONata, its intrinsic functions and its calls of other services.
"""
