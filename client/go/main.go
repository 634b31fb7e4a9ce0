// Reads the concept of a question, then swaps it: AlignSAE from Go.
//
//	client/go/make_stubs.sh && cd client/go && go mod tidy
//	go run . 127.0.0.1:50051 employer "Where was Ada Lunt born?"
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	pb "alignsae/client/alignsaev1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func readAndSwap(server, target, question string) error {
	connection, err := grpc.NewClient(server,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	prompt := &pb.Prompt{Input: &pb.Prompt_Question{Question: question}}

	read, err := pb.NewConceptServiceClient(connection).ReadConcepts(ctx,
		&pb.ReadConceptsRequest{Prompts: []*pb.Prompt{prompt}})
	if err != nil {
		return err
	}
	fmt.Println("top concept:", read.Readings[0].Reading.TopConcept)

	swap, err := pb.NewSteeringServiceClient(connection).Swap(ctx, &pb.SwapRequest{
		Prompt: prompt, Target: &pb.ConceptRef{Ref: &pb.ConceptRef_Name{Name: target}}})
	if err != nil {
		return err
	}
	fmt.Println("baseline:", strings.TrimSpace(swap.Baseline.Text))
	fmt.Println("steered:", strings.TrimSpace(swap.Steered.Text))
	return nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: client HOST:PORT CONCEPT QUESTION")
		os.Exit(64)
	}
	if err := readAndSwap(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", status.Code(err), status.Convert(err).Message())
		os.Exit(1)
	}
}
