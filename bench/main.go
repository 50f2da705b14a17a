// Command bench shows what supervision costs, here and elsewhere.
//
//	go run .                 a short run: some minutes
//	go run . -full           a full one
//	go run . -h              all flags
//	go run . list            the contestants, the workloads and what each means
//	go run . table|plot|doc  what to make of a results file
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/coppice-go/coppice/bench/contestants"
	"github.com/coppice-go/coppice/bench/runner"
	"github.com/coppice-go/coppice/bench/workloads"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	contestants.Cleanup()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	command := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	switch command {
	case "", "run":
		return runCommand(ctx, args, stdout, stderr)
	case "list":
		return listCommand(args, stdout, stderr)
	case "table":
		return tableCommand(args, stdout, stderr)
	case "plot":
		return plotCommand(args, stdout, stderr)
	case "doc":
		return docCommand(args, stdout, stderr)
	case runner.Cell:
		if len(args) != 1 {
			return errors.New("cell: wants the name of a contestant")
		}
		return runner.ServeCell(args[0])
	case workloads.Spew:
		if len(args) != 1 {
			return errors.New("spew: wants a number of lines")
		}
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return workloads.WriteLines(n)
	}
	return fmt.Errorf("unknown command %q: run, list, table, plot or doc", command)
}
