// Command driftprobe watches hostnames from the outside and tells a person on
// call what broke, why, what fixes it and until when clients will suffer.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once, whatever it still waits for.
	context.AfterFunc(ctx, stop)
	code := run(ctx, process{
		env: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}, os.Args[1:])
	stop()
	os.Exit(code)
}
