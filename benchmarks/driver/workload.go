package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"os"
)

func dialWorkload(o options) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix://"+o.workloadSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func header(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "workload.spiffe.io", "true")
}

// open connects and waits for the first SVID.
func open(ctx context.Context, o options) (*grpc.ClientConn, workload.SpiffeWorkloadAPI_FetchX509SVIDClient, *workload.X509SVIDResponse, error) {
	conn, err := dialWorkload(o)
	if err != nil {
		return nil, nil, nil, err
	}
	stream, err := workload.NewSpiffeWorkloadAPIClient(conn).FetchX509SVID(header(ctx), &workload.X509SVIDRequest{})
	if err != nil {
		return nil, nil, nil, err
	}
	first, err := stream.Recv()
	return conn, stream, first, err
}

// firstSVID opens a new connection each time and waits for the first SVID.
func firstSVID(ctx context.Context, o options) (result, error) {
	ready()
	var latencies []float64
	start := time.Now()
	for range o.count {
		began := time.Now()
		conn, _, _, err := open(ctx, o)
		if err != nil {
			return result{}, err
		}
		latencies = append(latencies, milliseconds(began))
		_ = conn.Close()
	}
	return summarize(latencies, time.Since(start)), nil
}

// cachedJWT asks for the same token over and over on connections that are kept.
func cachedJWT(ctx context.Context, o options) (result, error) {
	conn, err := dialWorkload(o)
	if err != nil {
		return result{}, err
	}
	client := workload.NewSpiffeWorkloadAPIClient(conn)
	request := &workload.JWTSVIDRequest{Audience: []string{"cached"}}
	if _, err := client.FetchJWTSVID(header(ctx), request); err != nil {
		return result{}, err
	}
	ready()
	var (
		mutex     sync.Mutex
		latencies []float64
		failed    error
		group     sync.WaitGroup
	)
	start := time.Now()
	for range o.workers {
		group.Go(func() {
			for range o.count / o.workers {
				began := time.Now()
				_, err := client.FetchJWTSVID(header(ctx), request)
				mutex.Lock()
				latencies = append(latencies, milliseconds(began))
				if err != nil {
					failed = err
				}
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	return summarize(latencies, time.Since(start)), failed
}

// streams holds open streams, each on a connection of its own.
func streams(ctx context.Context, o options) (result, error) {
	for range o.count {
		conn, _, _, err := open(ctx, o)
		if err != nil {
			return result{}, err
		}
		defer conn.Close()
	}
	ready()
	time.Sleep(o.hold)
	return result{Operations: o.count, Seconds: o.hold.Seconds()}, nil
}

// propagate measures from an entry's creation to its SVID in an open stream, and from its deletion
// until the SVID is gone; p50 and p99 are of the first, extra has p50 and p99 of the second.
func propagate(ctx context.Context, o options) (result, error) {
	admin, err := local(o)
	if err != nil {
		return result{}, err
	}
	conn, stream, _, err := open(ctx, o)
	if err != nil {
		return result{}, err
	}
	defer conn.Close()
	updates := make(chan *workload.X509SVIDResponse, 64)
	go func() {
		for {
			update, err := stream.Recv()
			if err != nil {
				close(updates)
				return
			}
			updates <- update
		}
	}()
	ready()
	start := time.Now()
	var created, deleted []float64
	for i := range o.count {
		id := fmt.Sprintf("/propagate/%d/%d", os.Getpid(), i)
		began := time.Now()
		entry, err := createFor(ctx, admin, o, id)
		if err != nil {
			return result{}, err
		}
		if err := await(updates, o.trustDomain, id, true); err != nil {
			return result{}, err
		}
		created = append(created, milliseconds(began))
		began = time.Now()
		if _, err := entryv1.NewEntryClient(admin).BatchDeleteEntry(ctx, &entryv1.BatchDeleteEntryRequest{Ids: []string{entry}}); err != nil {
			return result{}, err
		}
		if err := await(updates, o.trustDomain, id, false); err != nil {
			return result{}, err
		}
		deleted = append(deleted, milliseconds(began))
	}
	found := summarize(created, time.Since(start))
	gone := summarize(deleted, 0)
	found.Extra = []float64{gone.P50, gone.P99}
	return found, nil
}

func createFor(ctx context.Context, admin *grpc.ClientConn, o options, path string) (string, error) {
	answer, err := entryv1.NewEntryClient(admin).BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{
		Entries: []*types.Entry{{
			SpiffeId:  &types.SPIFFEID{TrustDomain: o.trustDomain, Path: path},
			ParentId:  &types.SPIFFEID{TrustDomain: o.trustDomain, Path: o.parent},
			Selectors: []*types.Selector{{Type: "unix", Value: fmt.Sprintf("uid:%d", os.Getuid())}},
		}}})
	if err != nil {
		return "", err
	}
	if status := answer.Results[0].Status; status.Code != 0 {
		return "", fmt.Errorf("entry: %s", status.Message)
	}
	return answer.Results[0].Entry.Id, nil
}

func await(updates chan *workload.X509SVIDResponse, trustDomain, path string, present bool) error {
	limit := time.After(30 * time.Second)
	for {
		select {
		case update, ok := <-updates:
			if !ok {
				return fmt.Errorf("the stream ended")
			}
			found := false
			for _, svid := range update.Svids {
				found = found || svid.SpiffeId == "spiffe://"+trustDomain+path
			}
			if found == present {
				return nil
			}
		case <-limit:
			return fmt.Errorf("%s: no change within 30 s", path)
		}
	}
}
