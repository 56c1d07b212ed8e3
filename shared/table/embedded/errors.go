package embedded

import "errors"

// Errors beyond those of table.
var (
	// ErrHeld: another Store, perhaps of another process, holds the folder.
	ErrHeld = errors.New("embedded: the folder is held by another process")
	// ErrClosed: the Store was closed; nothing was applied.
	ErrClosed = errors.New("embedded: store is closed")
	// ErrLayout: the folder was written by a version that laid items out otherwise.
	ErrLayout = errors.New("embedded: folder has another layout")
)
