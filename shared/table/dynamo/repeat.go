package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/table"
)

// meaning is what an error says about the write it answers.
type meaning int

const (
	refused meaning = iota // the engine's own answer: it was not applied
	busy                   // not applied; it may be taken another time
	lost                   // nobody knows
)

// The codes of errors, and of the reasons of a cancelled transaction.
const (
	codeConditionException = "ConditionalCheckFailedException"
	codeCanceled           = "TransactionCanceledException"
	codeInProgress         = "TransactionInProgressException"
	codeValidation         = "ValidationException"
	codeCondition          = "ConditionalCheckFailed" // a reason
	codeConflict           = "TransactionConflict"    // a reason
)

var busyCodes = map[string]bool{
	codeConflict:                             true,
	"ThrottlingError":                        true,
	"ProvisionedThroughputExceeded":          true,
	"TransactionConflictException":           true,
	"ThrottlingException":                    true,
	"ProvisionedThroughputExceededException": true,
	"RequestLimitExceeded":                   true,
	"ReplicatedWriteConflictException":       true,
	"LimitExceededException":                 true,
}

// meaningOf sorts an error. What is not clearly a refusal is lost.
func meaningOf(err error) meaning {
	if canceled, ok := errors.AsType[*canceledError](err); ok {
		m := refused
		for _, r := range canceled.reasons {
			switch {
			case r.Code == codeCondition:
				return refused
			case busyCodes[r.Code]:
				m = busy
			}
		}
		return m
	}
	if errors.Is(err, awscall.ErrNotSent) {
		return busy
	}
	answer, ok := errors.AsType[*awscall.Error](err)
	switch {
	case !ok:
		return lost
	case busyCodes[answer.Code]:
		return busy
	case answer.Code == codeInProgress:
		return lost // our own earlier attempt is being applied
	case answer.Status >= http.StatusInternalServerError:
		return lost
	}
	return refused
}

// repeat sends a write until its outcome is known, at most s.attempts times.
// settle turns the engine's refusal into the answer; it is told whether an
// earlier attempt's answer was lost.
func (s *Store) repeat(ctx context.Context, send func(context.Context) error, settle func(err error, lost bool) error) error {
	unknown := false
	var err error
	for attempt := range s.attempts {
		if attempt > 0 {
			if s.sleep(ctx, s.backoff(attempt)) != nil {
				break
			}
		}
		err = s.send(ctx, send)
		if err == nil {
			return nil
		}
		switch meaningOf(err) {
		case refused:
			return explain(settle(err, unknown), unknown)
		case lost:
			unknown = true
		}
		if ctx.Err() != nil {
			break
		}
	}
	if unknown {
		return fmt.Errorf("%w: %w", table.ErrUnknown, err)
	}
	return fmt.Errorf("%w: %w", table.ErrBusy, err)
}

// send makes one attempt. It has its own deadline: a connection that says
// nothing must leave time for another attempt.
func (s *Store) send(ctx context.Context, send func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	return send(ctx)
}

// explain keeps the promise that an error which is none of table's own means
// that nothing was applied.
func explain(err error, unknown bool) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*table.ConditionError](err); ok || errors.Is(err, table.ErrUnknown) {
		return err
	}
	if unknown {
		return fmt.Errorf("%w: %w", table.ErrUnknown, err)
	}
	if awscall.IsCode(err, codeValidation) {
		return fmt.Errorf("%w: %w", table.ErrInvalid, err)
	}
	return fmt.Errorf("dynamo: %w", err)
}
