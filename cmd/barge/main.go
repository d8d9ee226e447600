// Command barge releases machine-learning projects on Azure Databricks, from Dev through Test to Prod.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(command()) }

// command is the whole command; the tests run it in process.
func command() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	return run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
}
