package main

// equivalents are mutants that live because the program does the same with them.
// Each was read; a test demands that its line still stands in its file.
var equivalents = []struct{ file, code, mutant, why string }{}
