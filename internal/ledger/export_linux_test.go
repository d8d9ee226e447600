package ledger

// Started is when a process started.
func Started(pid int) string {
	start, _ := started(pid)
	return start
}
