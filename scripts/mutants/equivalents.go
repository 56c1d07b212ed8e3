package main

// equivalents are mutants that live because the program does the same with them.
// Each was read; a test demands that its line still stands in its file.
var equivalents = []struct{ file, code, mutant, why string }{
	{"shared/fund/entry.go", "if !ok || leg.Fen > 0 {", "CONDITIONALS_BOUNDARY",
		"a leg of nothing leaves its account where it was, whatever the floor."},
}
