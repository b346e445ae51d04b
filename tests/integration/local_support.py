"""A template of two functions that has one of everything the local stack plays, and functions that record."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

TOKEN = "t0ken-t0ken-t0ken-t0ken-t0ken-t0ken"
REGION = "eu-central-1"
_numbers = itertools.count(1)

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  HookToken: {Type: String, NoEcho: true}
  Stage: {Type: String, Default: test}
Conditions:
  IsProduction: !Equals [!Ref Stage, prod]
Globals:
  Function:
    Runtime: python3.13
    CodeUri: code/
    AutoPublishAlias: live
    Timeout: 10
    Environment:
      Variables:
        TABLE_NAME: !Ref Table
        BUS_NAME: !GetAtt Bus.Name
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: !Sub "${Stage}-bus"}
  Door:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Dead: {Type: AWS::SQS::Queue}
  OnlyInProduction: {Type: AWS::SQS::Queue, Condition: IsProduction}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !GetAtt Bus.Name
      EventPattern: {detail-type: [LeadRouted]}
      Targets: [{Id: door, Arn: !GetAtt Door.Arn}]
  Tick:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: rate(5 minutes)
      FlexibleTimeWindow: {Mode: "OFF"}
      Target:
        Arn: !GetAtt Door.Arn
        RoleArn: !GetAtt Role.Arn
        Input: '{"tick": "<aws.scheduler.scheduled-time>"}'
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {}}
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: api, ProtocolType: HTTP}
  Stage_:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: $default, AutoDeploy: true}
  HookRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: !Sub "POST /hooks/${HookToken}/leads"
      Target: !Join [/, [integrations, !Ref HookIntegration]]
  HookIntegration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationSubtype: SQS-SendMessage
      PayloadFormatVersion: "1.0"
      CredentialsArn: !GetAtt Role.Arn
      RequestParameters:
        QueueUrl: !Ref Door
        MessageBody: $request.body
        MessageAttributes: '{"requestId":{"DataType":"String","StringValue":"${context.requestId}"}}'
  PageRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: "GET /pages/{name}"
      Target: !Sub "integrations/${PageIntegration}"
  PageIntegration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Page.Arn
      PayloadFormatVersion: "2.0"
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Handler: {module}.work
      Environment: {Variables: {QUEUE_URL: !Ref Door}}
      Events:
        Door:
          Type: SQS
          Properties:
            Queue: !GetAtt Door.Arn
            BatchSize: 5
            MaximumBatchingWindowInSeconds: 2
            FunctionResponseTypes: [ReportBatchItemFailures]
  Page:
    Type: AWS::Serverless::Function
    Properties: {Handler: {module}.page, Timeout: 29}
"""

MODULE = """
import os

calls = []       # (bodies, environment) of each batch
events = []      # whole events
behave = lambda event, context: {"batchItemFailures": []}


def work(event, context):
    events.append(event)
    calls.append([record["body"] for record in event["Records"]])
    return behave(event, context)


def page(event, context):
    events.append(event)
    return {"statusCode": 200, "headers": {"content-type": "text/html"}, "body": "<p>" + os.environ["TABLE_NAME"],
            "cookies": ["a=b"]}
"""


def write_template(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write template and code; each change replaces a text that must occur in the template."""
    module = f"recorder_{next(_numbers)}"
    text = TEMPLATE.replace("{module}", module)
    for old, new in changes:
        assert old in text, f"the template does not contain {old!r}"
        text = text.replace(old, new)
    (folder / "code").mkdir()
    (folder / "code" / f"{module}.py").write_text(MODULE)
    path = folder / "template.yaml"
    path.write_text(text)
    return path


def recorder(handler: str) -> Any:
    """The imported module of a handler string: its `calls`, `events` and `behave`."""
    return sys.modules[handler.rpartition(".")[0]]
