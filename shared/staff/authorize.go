package staff

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/session"
)

// Action is something a member of staff may wish to do.
type Action string

// The actions.
const (
	ListComplaints     Action = "list_complaints"
	TakeComplaint      Action = "take_complaint"
	ReadComplaint      Action = "read_complaint"
	AcceptComplaint    Action = "accept_complaint"
	AssignComplaint    Action = "assign_complaint"
	SuperviseComplaint Action = "supervise_complaint"
	PauseComplaint     Action = "pause_complaint"
	ReadComplainant    Action = "read_complainant"
	HandleComplaint    Action = "handle_complaint"
	ReviewComplaint    Action = "review_complaint"
	GrantExtension     Action = "grant_extension"
	ReplyComplaint     Action = "reply_complaint"
	LookBack           Action = "look_back"

	ListTasks       Action = "list_tasks"
	ReadApplication Action = "read_application"
	Visit           Action = "visit"
	Propose         Action = "propose"
	Approve         Action = "approve"
	Refuse          Action = "refuse"
	Explain         Action = "explain"
	Review          Action = "review"
	Hold            Action = "hold"
	ReleaseHold     Action = "release_hold"
	RequestPayee    Action = "request_payee"
	ApprovePayee    Action = "approve_payee"
	HandOutCash     Action = "hand_out_cash"
	ConfirmCash     Action = "confirm_cash"
	RequestThaw     Action = "request_thaw"
	ApproveThaw     Action = "approve_thaw"
	ListEnvelopes   Action = "list_envelopes"
	ProposeEnvelope Action = "propose_envelope"
	ApproveEnvelope Action = "approve_envelope"
	CloseEnvelope   Action = "close_envelope"
	Call            Action = "call"
	AnswerAppeal    Action = "answer_appeal"
	ListBrakes      Action = "list_brakes"
	PullBrake       Action = "pull_brake"
	SecondBrake     Action = "second_brake"
	AskLift         Action = "ask_lift"
	LiftBrake       Action = "lift_brake"
	ImportSignals   Action = "import_signals"
	ReadSignals     Action = "read_signals"
	VisitDoors      Action = "visit_doors"
	AskReveal       Action = "ask_reveal"
	AgreeReveal     Action = "agree_reveal"
	ReadReveal      Action = "read_reveal"
	ReviewReveal    Action = "review_reveal"
	ListBreaks      Action = "list_breaks"
	ProposeBreak    Action = "propose_break"
	AgreeBreak      Action = "agree_break"
	BringStatement  Action = "bring_statement"
	ListFindings    Action = "list_findings"
	JudgeFinding    Action = "judge_finding"
	ListModels      Action = "list_models"
	InspectAgain    Action = "inspect_again"
	ReadIndicators  Action = "read_indicators"
	ReadOfficers    Action = "read_officers"
	ListBatches     Action = "list_batches"
	ProposeBatch    Action = "propose_batch"
	ReleaseBatch    Action = "release_batch"
	CancelBatch     Action = "cancel_batch"
	OpenRecovery    Action = "open_recovery"
	HearPerson      Action = "hear_person"
	DecideRecovery  Action = "decide_recovery"
	AgreePlan       Action = "agree_plan"
	BookRepayment   Action = "book_repayment"
	AskWaiver       Action = "ask_waiver"
	ApproveWaiver   Action = "approve_waiver"
	RevokeRecovery  Action = "revoke_recovery"

	TellMandate      Action = "tell_mandate"
	ReadMandates     Action = "read_mandates"
	ReadBodyMandates Action = "read_body_mandates"
	AnswerMandate    Action = "answer_mandate"
	CloseMandate     Action = "close_mandate"
	DrawSample       Action = "draw_sample"
	ReadSample       Action = "read_sample"
	ReadObjection    Action = "read_objection"
	AnswerObjection  Action = "answer_objection"
	TakeDown         Action = "take_down"

	ListDelegations  Action = "list_delegations"
	ReadDelegation   Action = "read_delegation"
	AskDelegation    Action = "ask_delegation"
	AgreeDelegation  Action = "agree_delegation"
	RevokeDelegation Action = "revoke_delegation"
)

// Group is a set of actions that a policy names in one word.
type Group string

// The groups.
const (
	OnComplaint   Group = "on_complaint"   // concerns one complaint and who is complained about
	Complaints    Group = "complaints"     // writes about a complaint, which supervisors may too
	Act           Group = "act"            // writes something
	OnApplication Group = "on_application" // concerns one application and its people
	SecondStep    Group = "second_step"    // completes what another person began
	MovesMoney    Group = "moves_money"    // lets money come nearer to leaving
	OnPayment     Group = "on_payment"     // is about a payment already decided
	Oversight     Group = "oversight"      // the work of the supervision body itself
	Brakes        Group = "brakes"         // stops or frees money, which supervisors may too
	Inspecting    Group = "inspecting"     // looks for what is wrong and says what it was, which supervisors may too
	OnDelegation  Group = "on_delegation"  // concerns supervision that was delegated
	Glass         Group = "glass"          // opens particulars or hides them, which supervisors may too
)

// groups says which groups each action is in.
var groups = map[Action][]Group{
	ListComplaints:     nil,
	TakeComplaint:      {Complaints},
	ReadComplaint:      {OnComplaint},
	AcceptComplaint:    {Complaints, OnComplaint},
	AssignComplaint:    {Complaints, OnComplaint},
	SuperviseComplaint: {Complaints, OnComplaint},
	PauseComplaint:     {Complaints, OnComplaint},
	ReadComplainant:    {Complaints, OnComplaint},
	HandleComplaint:    {Act, Complaints, OnComplaint, SecondStep}, // Act: who supervises does not handle
	ReviewComplaint:    {Complaints, OnComplaint, SecondStep},
	GrantExtension:     {Complaints, OnComplaint, SecondStep},
	ReplyComplaint:     {Complaints, OnComplaint},
	LookBack:           {Complaints, OnComplaint, SecondStep},

	ListTasks:       nil,
	ReadApplication: {OnApplication},
	Visit:           {Act, OnApplication},
	Propose:         {Act, OnApplication, MovesMoney},
	Approve:         {Act, OnApplication, MovesMoney, SecondStep},
	Refuse:          {Act, OnApplication},
	Explain:         {Act, OnApplication},
	Review:          {Act, OnApplication, OnPayment},
	Hold:            {Act, OnApplication},
	ReleaseHold:     {Act, OnApplication, SecondStep},
	RequestPayee:    {Act, OnApplication, OnPayment},
	ApprovePayee:    {Act, OnApplication, OnPayment, MovesMoney, SecondStep},
	HandOutCash:     {Act, OnApplication, OnPayment, MovesMoney},
	ConfirmCash:     {Act, OnApplication, OnPayment, MovesMoney, SecondStep},
	RequestThaw:     {Act, OnApplication, OnPayment},
	ApproveThaw:     {Act, OnApplication, OnPayment, SecondStep},
	ListEnvelopes:   nil,
	ProposeEnvelope: {Act},
	ApproveEnvelope: {Act, SecondStep},
	CloseEnvelope:   {Act},
	Call:            {Act, OnApplication},
	AnswerAppeal:    {Act, OnApplication, SecondStep},
	ListBrakes:      nil,
	PullBrake:       {Brakes},
	SecondBrake:     {Brakes, SecondStep},
	AskLift:         {Brakes, SecondStep},
	LiftBrake:       {Brakes, SecondStep},
	ImportSignals:   {Act},
	ReadSignals:     nil,
	VisitDoors:      {Act},
	AskReveal:       {Glass, OnApplication},
	AgreeReveal:     {Glass, OnApplication, SecondStep},
	ReadReveal:      {Glass, OnApplication},
	ReviewReveal:    {Glass, OnApplication, SecondStep},
	ListBreaks:      nil,
	ProposeBreak:    {Act, SecondStep},
	AgreeBreak:      {Act, SecondStep},
	BringStatement:  {Act},
	ListFindings:    nil,
	JudgeFinding:    {Inspecting, OnApplication, SecondStep},
	ListModels:      nil,
	InspectAgain:    {Inspecting},
	ReadIndicators:  nil,
	ReadOfficers:    nil,
	ListBatches:     nil,
	ProposeBatch:    {Act},
	ReleaseBatch:    {Act, SecondStep},
	CancelBatch:     {Act},
	OpenRecovery:    {Act, OnApplication, OnPayment},
	HearPerson:      {Act, OnApplication, OnPayment},
	DecideRecovery:  {Act, OnApplication, OnPayment, SecondStep},
	AgreePlan:       {Act, OnApplication, OnPayment},
	BookRepayment:   {Act, OnApplication, OnPayment},
	AskWaiver:       {Act, OnApplication, OnPayment},
	ApproveWaiver:   {Act, OnApplication, OnPayment, SecondStep},
	RevokeRecovery:  {Act, OnApplication, OnPayment, SecondStep},

	TellMandate:      {Oversight},
	ReadMandates:     nil,
	ReadBodyMandates: nil,
	AnswerMandate:    {Act},
	CloseMandate:     {Oversight},
	DrawSample:       {Oversight},
	ReadSample:       nil,
	ReadObjection:    {OnApplication},
	AnswerObjection:  {Act, OnApplication, SecondStep},
	TakeDown:         {Glass, OnApplication},

	ListDelegations:  nil,
	ReadDelegation:   {OnDelegation},
	AskDelegation:    {Oversight, OnDelegation},
	AgreeDelegation:  {Oversight, OnDelegation, SecondStep},
	RevokeDelegation: {Oversight, OnDelegation},
}

// Actions lists every action, by name.
func Actions() []Action { return slices.Sorted(maps.Keys(groups)) }

// Request is one question: may Staff do Action here and now?
type Request struct {
	Action Action
	Staff  Staff
	At     time.Time
	// Within is where it happens: a division, the one above it, and so on to the
	// widest, as the division tree has them on the day.
	Within []civil.DivisionCode
	County civil.DivisionCode
	// Application is what it is about; nil for lists and standing approvals.
	Application *application.Application
	// Complaint is what it is about instead; Within is then where it is about.
	Complaint *Complaint
	// Delegation is what it is about instead; Within is then what it is for.
	Delegation *Delegation
	// Authority is who must decide: the township, or somebody further up.
	Authority policy.Authority
	// Earlier names the persons and accounts who did the step before.
	Earlier []string
}

// Complaint is what the policies may know of a complaint.
type Complaint struct {
	ID string
	// Handling is the division that handles it and all it stands in, narrowest
	// first; empty before it is assigned.
	Handling []civil.DivisionCode
	// Target names the person complained about, by account and references.
	Target []string
	// AtTarget: the member of staff has, or had, a post in the unit complained
	// about, other than supervising it.
	AtTarget bool
}

// Delegation is what the policies may know of supervision that was delegated.
type Delegation struct {
	ID    string
	Above []string // ids of what it rests on, the nearest first; none for what a body gives itself
	// Body is the division whose supervision body everything above it comes from.
	Body    civil.DivisionCode
	Members []string // whom it is given to, by account and references
}

// Decision is the answer, and the ids of the policies that gave it. No policy
// at all means that nothing permits it.
type Decision struct {
	Allow    bool
	Policies []string
	answers  []string
}

// Authorize decides by the policies in the policies folder, as they were compiled
// into compiled.go. A forbidding policy overrides any that permits; a policy that
// cannot be evaluated denies.
func Authorize(r Request) Decision {
	s := sceneOf(r)
	var forbids, permits, broken []*compiledPolicy
	for i := range compiled {
		p := &compiled[i]
		s.broken = false
		switch applies := p.applies(s); {
		case s.broken:
			broken = append(broken, p)
		case applies && p.forbids:
			forbids = append(forbids, p)
		case applies:
			permits = append(permits, p)
		}
	}
	d := Decision{Allow: len(permits) > 0 && len(forbids) == 0 && len(broken) == 0}
	reasons := forbids
	if len(reasons) == 0 {
		reasons = permits
	}
	for _, p := range reasons {
		d.Policies = append(d.Policies, p.id)
		if p.answer != "" {
			d.answers = append(d.answers, p.answer)
		}
	}
	for _, p := range broken {
		d.Policies = append(d.Policies, p.id+"!")
	}
	slices.Sort(d.Policies)
	return d
}

// answers are what a policy's @answer tells the caller, in the order in which
// one is chosen when several forbid: what hides the case comes before what
// would show that it is there.
var answers = []struct {
	code string
	err  *fault.Error
}{
	{"not-signed-in", session.ErrNone},
	{"out-of-scope", application.ErrNotFound},
	{"moved-away", ErrMovedAway},
	{"supervision-reads-only", ErrReadOnly},
	{"person-unknown", ErrNobody},
	{"self-dealing", application.ErrConcerned},
	{"declared-kin", ErrKin},
	{"same-person", application.ErrSamePerson},
	{"own-delegation", ErrOwn},
	{"county-required", ErrCounty},
	{"application-held", application.ErrHeld},
	{"application-state", application.ErrState},
}

// Err is nil when d allows, else what the caller is told.
func (d Decision) Err() error {
	if d.Allow {
		return nil
	}
	for _, a := range answers {
		if slices.Contains(d.answers, a.code) {
			return a.err
		}
	}
	return ErrNotAllowed
}

// resource is what r is about: the application, or the division itself.
func resource(r Request) entity {
	if r.Application != nil {
		return entity{"Application", r.Application.ID}
	}
	if r.Complaint != nil {
		return entity{"Complaint", r.Complaint.ID}
	}
	if r.Delegation != nil {
		return entity{"Delegation", r.Delegation.ID}
	}
	return divisionEntity(lowest(r.Within))
}

func lowest(within []civil.DivisionCode) civil.DivisionCode {
	if len(within) == 0 {
		return ""
	}
	return within[0]
}

// sceneOf is all that the policies may look at.
func sceneOf(r Request) *scene {
	all := &scene{action: string(r.Action), groups: groups[r.Action], principal: entity{"Staff", r.Staff.ID}, resource: resource(r),
		context: record{"authority": string(cmp.Or(r.Authority, policy.Township)), "earlier": words(r.Earlier)},
		records: map[entity]record{}, parents: map[entity][]entity{}}
	add := func(id entity, attributes record, parents ...entity) {
		all.records[id], all.parents[id] = attributes, parents
	}
	path := func(codes []civil.DivisionCode) {
		for i, code := range codes {
			attributes := record{"county": divisionEntity(r.County)}
			if i+1 < len(codes) {
				add(divisionEntity(code), attributes, divisionEntity(codes[i+1]))
			} else {
				add(divisionEntity(code), attributes)
			}
		}
	}
	path(r.Within)

	s := r.Staff
	principal := record{
		"id": s.ID, "person": s.Person, "persons": words(s.people()), "kin": words(s.Kin), "active": s.Active,
		"serves": divisions(append(s.Holds(r.At), r.delegatedFor()...)), "served": divisions(s.held(r.At)),
		"supervises": s.Supervises(r.At), "body": divisions(s.Holds(r.At, Supervisor)),
	}
	for _, role := range Roles() {
		principal[string(role)] = divisions(s.Holds(r.At, role))
	}
	// What was delegated is the work of a supervisor, for what was delegated and there.
	principal[string(Supervisor)] = divisions(append(s.Holds(r.At, Supervisor), r.delegatedFor()...))
	var delegating set
	for _, d := range s.delegated {
		if d.gives(r.At, AskDelegation) && d.covers(r.Within) {
			delegating = append(delegating, entity{"Delegation", d.ID})
		}
	}
	principal["delegating"] = delegating
	add(all.principal, principal)

	if a := r.Application; a != nil {
		var kin []string
		if a.Findings != nil {
			kin = a.Findings.Kin
		}
		add(entity{"Application", a.ID}, record{
			"state": string(a.State), "held": a.Held(), "people": words(a.People), "kin_staff": words(kin), "county": divisionEntity(r.County),
		}, divisionEntity(lowest(r.Within)))
	}
	if c := r.Complaint; c != nil {
		path(c.Handling)
		place, handling := divisionEntity(lowest(r.Within)), divisionEntity(lowest(c.Handling))
		add(entity{"Complaint", c.ID}, record{"place": place, "handling": handling, "target": words(c.Target), "at_target": c.AtTarget}, place, handling)
	}
	if d := r.Delegation; d != nil {
		place := divisionEntity(lowest(r.Within))
		above := place
		for i := len(d.Above) - 1; i >= 0; i-- {
			up := entity{"Delegation", d.Above[i]}
			add(up, nil, above)
			above = up
		}
		add(entity{"Delegation", d.ID}, record{"top": len(d.Above) == 0, "body": divisionEntity(d.Body), "members": words(d.Members)}, above, place)
	}
	return all
}
