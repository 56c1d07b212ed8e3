package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// batchLines is how many lines are read in one go by one worker.
const batchLines = 2048

// eachLine reads a file of lines: several parse, one takes what they read in the
// order of the lines. progress hears when a batch is done.
func eachLine[T any](ctx context.Context, dir, name string, parse func(line []byte) (T, error), take func(T) error, progress func()) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	type parsed struct {
		all []T
		err error
	}
	type batch struct {
		raw  []byte // whole lines
		done chan parsed
	}
	todo, inOrder := make(chan batch, runtime.NumCPU()), make(chan batch, 2*runtime.NumCPU())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for range runtime.NumCPU() {
		go func() {
			for b := range todo {
				var p parsed
				p.all = make([]T, 0, batchLines)
				for line := range bytes.Lines(b.raw) {
					one, err := parse(bytes.TrimSuffix(line, []byte("\n")))
					if err != nil {
						p.err = fmt.Errorf("%s: %w", name, err)
						break
					}
					p.all = append(p.all, one)
				}
				b.done <- p
			}
		}()
	}
	var readErr error
	go func() {
		defer close(inOrder)
		defer close(todo)
		r := bufio.NewReaderSize(f, 1<<20)
		length := 0 // of the batch before: the next is about as long
		for readErr == nil {
			raw := make([]byte, 0, length+length/8)
			for range batchLines {
				line, err := r.ReadSlice('\n')
				raw = append(raw, line...)
				if errors.Is(err, bufio.ErrBufferFull) {
					continue
				}
				if err != nil {
					readErr = err
					break
				}
			}
			if len(raw) == 0 {
				break
			}
			length = len(raw)
			b := batch{raw, make(chan parsed, 1)}
			select {
			case todo <- b:
			case <-ctx.Done():
				readErr = ctx.Err()
				return
			}
			select {
			case inOrder <- b:
			case <-ctx.Done():
				readErr = ctx.Err()
				return
			}
		}
	}()
	for b := range inOrder {
		p := <-b.done
		for _, one := range p.all {
			if err := take(one); err != nil {
				return err
			}
		}
		if p.err != nil {
			return p.err
		}
		if progress != nil {
			progress()
		}
	}
	if !errors.Is(readErr, io.EOF) {
		return readErr
	}
	return nil
}

// each reads a file of JSON lines.
func each[T any](ctx context.Context, dir, name string, take func(T) error) error {
	return eachLine(ctx, dir, name, func(line []byte) (one T, err error) {
		return one, json.Unmarshal(line, &one)
	}, take, nil)
}
