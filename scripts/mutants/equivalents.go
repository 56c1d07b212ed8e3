package main

// equivalents are mutants that live because the program does the same with them.
// Each was read; a test demands that its line still stands in its file.
var equivalents = []struct{ file, code, mutant, why string }{
	{"shared/fund/entry.go", "if !ok || leg.Fen > 0 {", "CONDITIONALS_BOUNDARY",
		"a leg of nothing leaves its account where it was, whatever the floor."},
	{"shared/civil/account.go", "if d *= 2; d > 9 {", "CONDITIONALS_BOUNDARY",
		"twice a digit is even, and never 9."},
	{"shared/civil/account.go", "sum += d", "INVERT_ASSIGNMENTS",
		"a sum is a multiple of ten when its negative is."},
	{"shared/civil/name.go", "return unicode.Is(unicode.Han, r) && unicode.IsLetter(r) || r == '〇' || r >= 0x20000 && r <= 0x3FFFD", "CONDITIONALS_BOUNDARY",
		"U+20000 is in the table of Chinese characters already; the other end of the range is tested."},
	{"shared/bankfile/file.go", "if r < unicode.MaxLatin1 {", "CONDITIONALS_BOUNDARY",
		"both ways of looking say that ÿ can be seen."},
	{"shared/reading/reading.go", "q := table.Query{PK: Of(application), Reverse: true, Limit: limit + 1}.Prefix(event.Prefix + Noun + \"#\")", "ARITHMETIC_BASE",
		"how many are read at a time changes how often the store is asked, and not what comes of it."},
}
