package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// host returns what makes a pid mean one process: the boot and the pid namespace, as this process sees them.
func host() (bootID, pidNamespace string) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", ""
	}
	return strings.TrimSpace(string(boot)), namespace
}

// started returns when the process with that pid started, in clock ticks since boot; "" and true when there is no
// such process or it is a zombie, false when the system does not tell.
func started(pid int) (start string, known bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		// A /proc mounted with hidepid shows nothing of other users' processes; the kernel still knows them.
		return "", errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	if err != nil {
		return "", false
	}
	// The command's name stands in parentheses and may hold anything; the fields are counted from its end.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return "", false
	}
	if state := fields[0][0]; state == 'Z' || state == 'X' {
		return "", true
	}
	return string(fields[19]), true
}
