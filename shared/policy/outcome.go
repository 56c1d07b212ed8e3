package policy

import "github.com/doudi-aid/doudi/shared/money"

// Outcome is what the rules make of the facts. There is no way to say no in it:
// it proposes an amount, names who may decide, and routes to a person. Nor does
// it ever lower an amount that somebody proposed.
type Outcome struct {
	// AmountFen is the amount proposed by the rules, or the one that was tested.
	AmountFen money.Fen `json:"amount_fen"`
	// CeilingFen is the most first-step aid on these facts; more needs the
	// coordination meeting (一事一议).
	CeilingFen money.Fen `json:"ceiling_fen"`
	// TownshipFen is the most that the township may decide by itself.
	TownshipFen money.Fen `json:"township_fen"`
	// Persons and Months are those that the amount was worked out for; Months is
	// 0 when the amount is a fixed one.
	Persons int `json:"persons"`
	Months  int `json:"months"`
	// Authority is the lowest that may decide.
	Authority Authority `json:"authority"`
	// Holds are why the money may not go out before a person has looked.
	Holds []HoldReason `json:"holds,omitempty"`
	// NeedsException are codes of limits that a person must lift, with a reason
	// that is recorded: SameCauseRepeat, FrequencyCap, AnnualCap, OverCeiling.
	NeedsException []string `json:"needs_exception,omitempty"`
	// Trace is how it came about, step by step, for the citizen to read.
	Trace []Step `json:"trace"`
	// Rules is the fingerprint of the rules; Book.ByFingerprint finds them again.
	Rules string `json:"rules"`
	// Provisional is that some figure of these rules is not confirmed by the
	// authority. A production stage does not run such rules.
	Provisional bool `json:"provisional,omitempty"`
}

// HoldReason is why money waits for a person. Code is stable.
type HoldReason struct {
	Code    string `json:"code"`
	Text    string `json:"text"`    // plain Chinese
	Article string `json:"article"` // "社会救助法第四十一条"
}

// The holds.
const (
	HoldDeathRecord      = "DEATH_RECORD"       // a death is recorded for the person
	HoldIdentityMismatch = "IDENTITY_MISMATCH"  // name and number do not belong together
	HoldAdverseRecord    = "ADVERSE_RECORD"     // a source that the region listed said something against it
	HoldCheckMissing     = "CHECK_MISSING"      // a source that the region insists on has not answered
	HoldFactsUnclear     = "FACTS_UNCLEAR"      // the facts cannot be worked with as they stand
	HoldWrongRegion      = "RULES_NOT_IN_FORCE" // these rules are not in force on the day of the facts
	HoldOverCodeCeiling  = "OVER_CODE_CEILING"  // more than first-step aid can ever be
)

// The limits that need an exception.
const (
	SameCauseRepeat = "SAME_CAUSE_REPEAT"
	FrequencyCap    = "FREQUENCY_CAP"
	AnnualCap       = "ANNUAL_CAP"
	OverCeiling     = "OVER_CEILING"
)

// Step is one rule that was looked at: which, under what article, on what fact
// from what source, and what came of it. Outcome is a stable word; Text is a
// sentence for the citizen.
type Step struct {
	Rule    string      `json:"rule"`
	Article string      `json:"article"`
	Fact    string      `json:"fact"`
	Source  string      `json:"source"`
	Outcome StepOutcome `json:"outcome"`
	Text    string      `json:"text"`
}

// StepOutcome is what came of a rule.
type StepOutcome string

// The outcomes of a step. There is no "refused".
const (
	StepPass   StepOutcome = "pass"   // nothing stands in the way
	StepDraft  StepOutcome = "draft"  // an amount was worked out
	StepLimit  StepOutcome = "limit"  // the proposal was kept within a limit
	StepRoute  StepOutcome = "route"  // it goes to that authority
	StepHold   StepOutcome = "hold"   // it waits for a person
	StepExcept StepOutcome = "except" // a person must record an exception
	StepLater  StepOutcome = "later"  // to be looked at after the money is out
)
