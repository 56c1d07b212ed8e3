package application

import (
	"context"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
)

func notePlace(e event.Event) seal.Place {
	k := event.Key(e.PK, e.Noun, e.ID, e.Version)
	return seal.Place{Table: TableName, PK: k.PK, SK: k.SK, Field: "note"}
}

// SealNote is e with words that somebody typed, sealed for this event alone. No
// words, no note.
func SealNote(ctx context.Context, box *seal.Box, e event.Event, words redact.Text) (event.Event, error) {
	if words.Empty() {
		return e, nil
	}
	var err error
	e.Note, err = box.Seal(ctx, notePlace(e), []byte(words.Reveal()))
	return e, err
}

// OpenNote is the words of e.
func OpenNote(ctx context.Context, box *seal.Box, e event.Event) (redact.Text, error) {
	if len(e.Note) == 0 {
		return redact.Text{}, nil
	}
	plain, err := box.Open(ctx, notePlace(e), e.Note)
	if err != nil {
		return redact.Text{}, err
	}
	return redact.New(string(plain)), nil
}
