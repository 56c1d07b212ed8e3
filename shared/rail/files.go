package rail

import (
	"context"
	"time"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
)

// FileOrder is a file that pays many, to be made into bytes.
type FileOrder struct {
	ID     string    // ours, permanent: the provider pays one id at most once
	Layout string    // the name of its form; what was sent in one form is read in it for ever
	At     time.Time // to the second
	Lines  []Order   // the first is line 1
}

// FileSaid is what a provider said about one file. Word is Processing (it has it),
// Declined (it will pay nothing of it), NotFound, Short, Refused, Conflict or
// Silence; the other words are said of single payments only.
type FileSaid struct {
	Word payout.Word
	File string
	// Digest, Lines and TotalFen are what the provider holds under the id; zero when
	// it made no such statement.
	Digest   string
	Lines    int
	TotalFen money.Fen
	// Edition is the newest return file there is, 0 for none, and ReturnDigest the
	// SHA-256 of its bytes, hex.
	Edition      int
	ReturnDigest string
	Code         string
	Evidence     string
	Alarm        string // a code that an operator must know now; "" is none
}

// Reported is what a return file says of one line. Word is Succeeded, Declined,
// SentBack or, when nothing is to be concluded, Silence.
type Reported struct {
	Line int
	payout.Said
}

// Report is a return file, read.
type Report struct {
	File    string
	Edition int
	Digest  string // SHA-256 of the bytes, hex
	Lines   []Reported
}

// Files is a way money moves in files that pay many. Like a Rail it decides
// nothing, is safe for concurrent use, and cannot say that anything failed but in
// answer to a question.
type Files interface {
	Facts() Facts
	// MaxLines is the most payees of one file.
	MaxLines() int
	// Layout is the form that new files get.
	Layout() string
	// Line is the keyed digest of the payee of one line, which the return file must
	// repeat. A line that cannot stand in a file is a fault of kind Invalid.
	Line(o Order) (payee string, err error)
	// Encode makes the bytes of a file, the same for the same order, and reads them
	// back before it answers.
	Encode(f FileOrder) ([]byte, error)
	// Admit is as Rail's.
	Admit(ctx context.Context, c Call) (bool, error)
	// Send gives the stored bytes to the provider. It never says Declined or NotFound.
	Send(ctx context.Context, id string, raw []byte) FileSaid
	// Query asks what became of a file.
	Query(ctx context.Context, id string) FileSaid
	// Fetch is the bytes of a return file; ok is false when no answer can be believed.
	Fetch(ctx context.Context, id string, edition int) (raw []byte, ok bool)
	// Read reads a return file whole, in the layout that its file had; a fault of
	// kind Invalid says that nothing in it may be believed.
	Read(layout string, raw []byte) (Report, error)
}
