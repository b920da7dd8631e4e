package interop

import (
	"context"
	"testing"
	"time"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func selector(value string) *types.Selector { return &types.Selector{Type: "unix", Value: value} }

func requireStatus(t *testing.T, found *types.Status, expected codes.Code) {
	t.Helper()
	if codes.Code(found.GetCode()) != expected {
		t.Fatalf("expected %v, got %d %s", expected, found.GetCode(), found.GetMessage())
	}
}

// An entry is created once, updated under a mask, listed by filters, and deleted.
func TestAdminEntryLife(t *testing.T) {
	ctx := within(t, 30*time.Second)
	s := dialServer(t)
	client := entryv1.NewEntryClient(s.local)
	entry := &types.Entry{
		SpiffeId:    s.id("/admin/life"),
		ParentId:    s.id("/spire/agent/test/life"),
		Selectors:   []*types.Selector{selector("uid:7001"), selector("gid:7001")},
		X509SvidTtl: 120,
		DnsNames:    []string{"life.example.org"},
		Hint:        "life",
	}
	created := createEntry(ctx, t, client, entry)
	if created.Id == "" || created.RevisionNumber != 0 || created.CreatedAt == 0 {
		t.Fatalf("%v", created)
	}
	duplicate(ctx, t, client, entry, created.Id)
	update(ctx, t, client, created)
	filters(ctx, t, s, client, created.Id)
	deleted, err := client.BatchDeleteEntry(ctx, &entryv1.BatchDeleteEntryRequest{Ids: []string{created.Id, created.Id, ""}})
	if err != nil {
		t.Fatal(err)
	}
	for i, code := range []codes.Code{codes.OK, codes.NotFound, codes.InvalidArgument} {
		requireStatus(t, deleted.Results[i].Status, code)
	}
	_, err = client.GetEntry(ctx, &entryv1.GetEntryRequest{Id: created.Id})
	if status.Code(err) != codes.NotFound {
		t.Fatalf("expected NotFound, got %v", err)
	}
}

func createEntry(ctx context.Context, t *testing.T, client entryv1.EntryClient, entry *types.Entry) *types.Entry {
	t.Helper()
	answer, err := client.BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{Entries: []*types.Entry{entry}})
	if err != nil {
		t.Fatal(err)
	}
	requireStatus(t, answer.Results[0].Status, codes.OK)
	return answer.Results[0].Entry
}

func duplicate(ctx context.Context, t *testing.T, client entryv1.EntryClient, entry *types.Entry, id string) {
	t.Helper()
	answer, err := client.BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{Entries: []*types.Entry{
		entry,
		{SpiffeId: entry.SpiffeId, ParentId: entry.ParentId},
		{SpiffeId: &types.SPIFFEID{TrustDomain: "other.test", Path: "/x"}, ParentId: entry.ParentId, Selectors: entry.Selectors},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, code := range []codes.Code{codes.AlreadyExists, codes.InvalidArgument, codes.InvalidArgument} {
		requireStatus(t, answer.Results[i].Status, code)
	}
	if answer.Results[0].Entry.GetId() != id {
		t.Fatal("a duplicate names the entry that exists")
	}
}

func update(ctx context.Context, t *testing.T, client entryv1.EntryClient, created *types.Entry) {
	t.Helper()
	answer, err := client.BatchUpdateEntry(ctx, &entryv1.BatchUpdateEntryRequest{
		Entries:    []*types.Entry{{Id: created.Id, X509SvidTtl: 240}},
		InputMask:  &types.EntryMask{X509SvidTtl: true},
		OutputMask: &types.EntryMask{X509SvidTtl: true, RevisionNumber: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	requireStatus(t, answer.Results[0].Status, codes.OK)
	updated := answer.Results[0].Entry
	if updated.X509SvidTtl != 240 || updated.RevisionNumber != 1 || updated.Hint != "" || updated.Id != created.Id {
		t.Fatalf("%v", updated)
	}
	whole, err := client.GetEntry(ctx, &entryv1.GetEntryRequest{Id: created.Id})
	if err != nil || whole.Hint != "life" || len(whole.DnsNames) != 1 || whole.X509SvidTtl != 240 {
		t.Fatalf("%v, %v", whole, err)
	}
}

func filters(ctx context.Context, t *testing.T, s *server, client entryv1.EntryClient, id string) {
	t.Helper()
	match := func(behavior types.SelectorMatch_MatchBehavior, values ...string) *entryv1.ListEntriesRequest_Filter {
		set := &types.SelectorMatch{Match: behavior}
		for _, value := range values {
			set.Selectors = append(set.Selectors, selector(value))
		}
		return &entryv1.ListEntriesRequest_Filter{BySelectors: set, BySpiffeId: s.id("/admin/life")}
	}
	cases := []struct {
		filter *entryv1.ListEntriesRequest_Filter
		found  bool
	}{
		{&entryv1.ListEntriesRequest_Filter{BySpiffeId: s.id("/admin/life")}, true},
		{&entryv1.ListEntriesRequest_Filter{ByParentId: s.id("/spire/agent/test/life")}, true},
		{&entryv1.ListEntriesRequest_Filter{ByHint: wrapperspb.String("life")}, true},
		{&entryv1.ListEntriesRequest_Filter{ByHint: wrapperspb.String("death")}, false},
		{&entryv1.ListEntriesRequest_Filter{ByDownstream: wrapperspb.Bool(true)}, false},
		{match(types.SelectorMatch_MATCH_EXACT, "gid:7001", "uid:7001"), true},
		{match(types.SelectorMatch_MATCH_EXACT, "uid:7001"), false},
		{match(types.SelectorMatch_MATCH_SUPERSET, "uid:7001"), true},
		{match(types.SelectorMatch_MATCH_SUBSET, "uid:7001", "gid:7001", "user:x"), true},
		{match(types.SelectorMatch_MATCH_ANY, "uid:1", "gid:7001"), true},
	}
	for i, c := range cases {
		answer, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: c.filter})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, entry := range answer.Entries {
			found = found || entry.Id == id
		}
		if found != c.found {
			t.Fatalf("case %d: found is %v", i, found)
		}
	}
	_, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: match(types.SelectorMatch_MATCH_EXACT)})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("an empty selector set gave %v", err)
	}
}

// Pages follow one another without a gap and end with an empty token.
func TestAdminEntryPages(t *testing.T) {
	ctx := within(t, 30*time.Second)
	s := dialServer(t)
	client := entryv1.NewEntryClient(s.local)
	parent := s.id("/spire/agent/test/pages")
	for _, path := range []string{"/page/a", "/page/b", "/page/c", "/page/d", "/page/e"} {
		createEntry(ctx, t, client, &types.Entry{SpiffeId: s.id(path), ParentId: parent, Selectors: []*types.Selector{selector("uid:7002")}})
	}
	filter := &entryv1.ListEntriesRequest_Filter{ByParentId: parent}
	count, err := client.CountEntries(ctx, &entryv1.CountEntriesRequest{Filter: &entryv1.CountEntriesRequest_Filter{ByParentId: parent}})
	if err != nil || count.Count != 5 {
		t.Fatalf("%v, %v", count, err)
	}
	seen, token := map[string]bool{}, ""
	for pages := 0; pages < 10; pages++ {
		answer, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: filter, PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range answer.Entries {
			if seen[entry.Id] {
				t.Fatal("an entry came twice")
			}
			seen[entry.Id] = true
		}
		if token = answer.NextPageToken; token == "" {
			break
		}
	}
	if len(seen) != 5 || token != "" {
		t.Fatalf("%d entries, token %q", len(seen), token)
	}
}

// Agents are listed, counted, shown and masked; what is not an agent's ID is refused.
func TestAdminAgents(t *testing.T) {
	ctx := within(t, 30*time.Second)
	j := join(ctx, dialServer(t))
	client := agentv1.NewAgentClient(j.local)
	listed, err := client.ListAgents(ctx, &agentv1.ListAgentsRequest{
		Filter:     &agentv1.ListAgentsRequest_Filter{ByAttestationType: "join_token", ByBanned: wrapperspb.Bool(false)},
		OutputMask: &types.AgentMask{AttestationType: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, agent := range listed.Agents {
		found = found || agent.Id.Path == j.svid.ID.Path()
		if agent.X509SvidSerialNumber != "" || agent.AttestationType != "join_token" {
			t.Fatalf("%v", agent)
		}
	}
	if !found {
		t.Fatal("the agent is not listed")
	}
	if _, err := client.CountAgents(ctx, &agentv1.CountAgentsRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err = client.GetAgent(ctx, &agentv1.GetAgentRequest{Id: j.id("/web")})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("expected InvalidArgument, got %v", err)
	}
	_, err = client.GetAgent(ctx, &agentv1.GetAgentRequest{Id: j.id("/spire/agent/test/nobody")})
	if status.Code(err) != codes.NotFound {
		t.Fatalf("expected NotFound, got %v", err)
	}
	_, err = client.CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 0})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("expected InvalidArgument, got %v", err)
	}
}

// A federated bundle is created, replaced, listed, guarded while an entry uses it, and deleted.
func TestAdminFederatedBundles(t *testing.T) {
	ctx := within(t, 30*time.Second)
	s := dialServer(t)
	client := bundlev1.NewBundleClient(s.local)
	own, err := client.GetBundle(ctx, &bundlev1.GetBundleRequest{})
	if err != nil {
		t.Fatal(err)
	}
	foreign := &types.Bundle{TrustDomain: "foreign.test", X509Authorities: own.X509Authorities[:1], RefreshHint: 60}
	created, err := client.BatchCreateFederatedBundle(ctx, &bundlev1.BatchCreateFederatedBundleRequest{
		Bundle: []*types.Bundle{foreign, foreign, {TrustDomain: s.trustDomain.Name(), X509Authorities: own.X509Authorities}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, code := range []codes.Code{codes.OK, codes.AlreadyExists, codes.InvalidArgument} {
		requireStatus(t, created.Results[i].Status, code)
	}
	got, err := client.GetFederatedBundle(ctx, &bundlev1.GetFederatedBundleRequest{TrustDomain: "foreign.test"})
	if err != nil || got.RefreshHint != 60 {
		t.Fatalf("%v, %v", got, err)
	}
	entry := createEntry(ctx, t, entryv1.NewEntryClient(s.local), &types.Entry{
		SpiffeId: s.id("/admin/federated"), ParentId: s.id("/spire/agent/test/f"),
		Selectors: []*types.Selector{selector("uid:7003")}, FederatesWith: []string{"foreign.test"}})
	for _, c := range []struct {
		mode bundlev1.BatchDeleteFederatedBundleRequest_Mode
		code codes.Code
	}{
		{bundlev1.BatchDeleteFederatedBundleRequest_RESTRICT, codes.FailedPrecondition},
		{bundlev1.BatchDeleteFederatedBundleRequest_DISSOCIATE, codes.OK},
		{bundlev1.BatchDeleteFederatedBundleRequest_DELETE, codes.NotFound},
	} {
		answer, err := client.BatchDeleteFederatedBundle(ctx, &bundlev1.BatchDeleteFederatedBundleRequest{
			TrustDomains: []string{"foreign.test"}, Mode: c.mode})
		if err != nil {
			t.Fatal(err)
		}
		requireStatus(t, answer.Results[0].Status, c.code)
	}
	left, err := entryv1.NewEntryClient(s.local).GetEntry(ctx, &entryv1.GetEntryRequest{Id: entry.Id})
	if err != nil || len(left.FederatesWith) != 0 {
		t.Fatalf("%v, %v", left, err)
	}
}

// An administrator mints an X.509- and a JWT-SVID, within the own trust domain only.
func TestAdminMint(t *testing.T) {
	ctx := within(t, 30*time.Second)
	s := dialServer(t)
	client := svidv1.NewSVIDClient(s.local)
	key := newKey(t)
	minted, err := client.MintX509SVID(ctx, &svidv1.MintX509SVIDRequest{
		Csr: newCSR(t, key, "spiffe://"+s.trustDomain.Name()+"/minted"), Ttl: 60})
	if err != nil {
		t.Fatal(err)
	}
	if newSVID(t, minted.Svid, key).ID.Path() != "/minted" {
		t.Fatal("another identity was minted")
	}
	for _, csr := range [][]byte{nil, newCSR(t, key), newCSR(t, key, "spiffe://other.test/x")} {
		if _, err := client.MintX509SVID(ctx, &svidv1.MintX509SVIDRequest{Csr: csr}); status.Code(err) != codes.InvalidArgument {
			t.Fatalf("expected InvalidArgument, got %v", err)
		}
	}
	token, err := client.MintJWTSVID(ctx, &svidv1.MintJWTSVIDRequest{Id: s.id("/minted"), Audience: []string{"db"}, Ttl: 60})
	if err != nil || token.Svid.Token == "" {
		t.Fatalf("%v, %v", token, err)
	}
}

// The local socket answers the standard health check.
func TestAdminHealth(t *testing.T) {
	answer, err := grpc_health_v1.NewHealthClient(dialServer(t).local).Check(
		within(t, 10*time.Second), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("%v, %v", answer, err)
	}
}
