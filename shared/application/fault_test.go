package application_test

import (
	"slices"
	"testing"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
)

func faultFields(err error) []fault.Field { return fault.Of(err).Fields }

func TestEveryProblemOfASubmissionIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	agent := func(b *bench) application.Person {
		p := person(b.t, "王五", agentNumber)
		p.Phone = civil.StoredPhone("13800138000")
		return p
	}
	for name, c := range map[string]struct {
		change func(*bench, *application.Submission)
		want   []string
	}{
		"a plain family has none":         {func(*bench, *application.Submission) {}, nil},
		"another track":                   {func(_ *bench, s *application.Submission) { s.Track = "expenditure" }, []string{"/track track"}},
		"an unknown relation":             {func(_ *bench, s *application.Submission) { s.Relation = "boss" }, []string{"/relation relation"}},
		"self with an applicant":          {func(b *bench, s *application.Submission) { p := agent(b); s.Particulars.Applicant = &p }, []string{"/applicant applicant-not-needed"}},
		"an agent who does not say who":   {func(_ *bench, s *application.Submission) { s.Relation = application.Committee }, []string{"/applicant required"}},
		"a household member who does not": {func(_ *bench, s *application.Submission) { s.Relation = application.Household }, []string{"/applicant required"}},
		"an agent is complete": {func(b *bench, s *application.Submission) {
			p := agent(b)
			s.Relation, s.Particulars.Applicant = application.Committee, &p
		}, nil},
		"an agent without telephone or paper": {func(b *bench, s *application.Submission) {
			p := application.Person{Name: civil.StoredName("王五"), Paper: civil.StoredPaper(civil.NoPaper, "")}
			s.Relation, s.Particulars.Applicant = application.Outreach, &p
		}, []string{"/applicant/paper required", "/applicant/phone required"}},
		"an agent who is the subject": {func(b *bench, s *application.Submission) {
			p := s.Particulars.Subject
			p.Phone = civil.StoredPhone("13800138000")
			s.Relation, s.Particulars.Applicant = application.Relative, &p
		}, []string{"/applicant/paper applicant-is-subject"}},
		"an agent who lives there": {func(b *bench, s *application.Submission) {
			p := s.Particulars.Members[0].Person
			p.Phone = civil.StoredPhone("13800138000")
			s.Relation, s.Particulars.Applicant = application.Relative, &p
		}, []string{"/applicant/paper applicant-in-household"}},
		"a household applicant who does not live there": {func(b *bench, s *application.Submission) {
			p := agent(b)
			s.Relation, s.Particulars.Applicant = application.Household, &p
		}, []string{"/applicant/paper applicant-not-in-household"}},
		"one paper for two people": {func(b *bench, s *application.Submission) {
			s.Particulars.Members[0].Paper = s.Particulars.Subject.Paper
			s.Particulars.Members = append(s.Particulars.Members, s.Particulars.Members[1])
		}, []string{"/members/0/paper duplicate-person", "/members/2/paper duplicate-person"}},
		"a payee who is not the subject":       {func(_ *bench, s *application.Submission) { s.Particulars.Holder = "members/0" }, []string{"/payee/holder payee-not-subject"}},
		"a payee who is nobody":                {func(_ *bench, s *application.Submission) { s.Particulars.Holder = "members/9" }, []string{"/payee/holder no-such-person"}},
		"X039 a payee called agent is nobody":  {func(_ *bench, s *application.Submission) { s.Particulars.Holder = "agent" }, []string{"/payee/holder no-such-person"}},
		"a minor may be paid through a parent": {func(b *bench, s *application.Submission) { minorSubject(b, s); s.Particulars.Holder = "members/0" }, nil},
		"but not through another minor": {func(b *bench, s *application.Submission) {
			minorSubject(b, s)
			s.Particulars.Members = append(s.Particulars.Members, application.Member{Person: person(b.t, "张幼", toddlerNumber), Kinship: application.Sibling})
			s.Particulars.Holder = "members/1"
		}, []string{"/payee/holder payee-minor"}},
		"and never through a committee": {func(b *bench, s *application.Submission) {
			minorSubject(b, s)
			p := agent(b)
			s.Relation, s.Particulars.Applicant, s.Particulars.Holder = application.Committee, &p, "applicant"
		}, []string{"/payee/holder payee-agent"}},
		"consents of strangers and twice": {func(_ *bench, s *application.Submission) {
			s.Consents = append(s.Consents, s.Consents[0], application.Agreement{Role: "members/7"}, application.Agreement{Role: "applicant"})
		}, []string{"/consents/3/person duplicate-person", "/consents/4/person no-such-person", "/consents/5/person no-such-person"}},
		"a minor alone cannot agree": {func(b *bench, s *application.Submission) {
			minorSubject(b, s)
			s.Particulars.Members = nil
			s.Consents = s.Consents[:1]
		}, []string{"/consents/0/person guardian-needed"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.submission("k")
			c.change(b, &s)
			var got []string
			for _, f := range s.Problems() {
				got = append(got, f.Pointer+" "+f.Code)
				if f.Detail == "" {
					t.Errorf("%s has no words", f.Pointer)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// minorSubject makes the child the subject and the wife the only other member.
func minorSubject(b *bench, s *application.Submission) {
	s.Particulars.Subject = person(b.t, "张小", childNumber)
	s.Particulars.Members = []application.Member{{Person: person(b.t, "李四", spouseNumber), Kinship: application.Parent}}
	s.Consents = s.Consents[:2]
}
