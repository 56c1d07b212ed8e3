package main

import (
	"fmt"
	"os"
	"runtime"
)

// resources are what a process holds at one moment.
type resources struct {
	heap              uint64 // bytes in use after a collection
	goroutines, files int
}

func used() resources {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r := resources{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine()}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		r.files = len(open)
	}
	return r
}

func (r resources) String() string {
	return fmt.Sprintf("heap %d MB, %d goroutines, %d open files", r.heap>>20, r.goroutines, r.files)
}
