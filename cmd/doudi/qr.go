package main

import (
	"os"

	"rsc.io/qr"
)

// drawCode draws a code as a PNG picture, for a printed card. A phone draws its
// own from the same text.
func drawCode(name, text string) error {
	code, err := qr.Encode(text, qr.L) // the page it is printed on is not torn on its way
	if err != nil {
		return err
	}
	code.Scale = 4
	return os.WriteFile(name, code.PNG(), 0o600)
}
