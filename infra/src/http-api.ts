import { Duration } from "aws-cdk-lib";
import {
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpStage,
  type IHttpRouteAuthorizer,
  LogGroupLogDestination,
} from "aws-cdk-lib/aws-apigatewayv2";
import {
  HttpIamAuthorizer,
  HttpLambdaAuthorizer,
  HttpLambdaResponseType,
} from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import type { Functions } from "./functions.ts";
import { logGroupProps } from "./logs.ts";
import type { Settings } from "./props.ts";

/** What anybody may read: the same for every deployment. */
const publicPaths = ["/openapi.json", "/docs", "/docs/{proxy+}"];

/**
 * The API's door. `/v1` takes keys of the API and tokens, by the authorizer's function; `/iam/v1` is
 * the same API for who signs requests with AWS credentials. Every other path is 404, here.
 */
export class ControlApi extends Construct {
  readonly api: HttpApi;
  readonly stage: HttpStage;

  constructor(
    scope: Construct,
    id: string,
    { functions, settings }: { readonly settings: Settings; readonly functions: Functions },
  ) {
    super(scope, id);
    this.api = new HttpApi(this, "Api", {
      description: "Millrace's control plane",
      createDefaultStage: false,
    });
    const integration = new HttpLambdaIntegration("Function", functions.api, {
      scopePermissionToRoute: false,
    });
    const route = (path: string, methods: HttpMethod[], authorizer: IHttpRouteAuthorizer): void => {
      this.api.addRoutes({ path, methods, authorizer, integration });
    };
    route("/v1/{proxy+}", [HttpMethod.ANY], keysAndTokens(functions));
    route("/iam/v1/{proxy+}", [HttpMethod.ANY], new HttpIamAuthorizer());
    if (settings.publicDocs) {
      for (const path of publicPaths) route(path, [HttpMethod.GET], new HttpNoneAuthorizer());
      acknowledge(
        this.api,
        "AwsSolutions-APIG4",
        "The API's description is no secret, and a browser has no key; a prop closes it.",
      );
    }
    const logs = new LogGroup(this, "AccessLog", logGroupProps(settings));
    this.stage = new HttpStage(this, "Stage", {
      httpApi: this.api,
      stageName: "$default",
      autoDeploy: true,
      throttle: {
        rateLimit: settings.api.requestsPerSecond,
        burstLimit: settings.api.requestBurst,
      },
      accessLogSettings: { destination: new LogGroupLogDestination(logs) },
    });
  }
}

/** Each request is asked for anew: a key that was deleted opens nothing any more. */
function keysAndTokens({ authorizer }: Functions): HttpLambdaAuthorizer {
  return new HttpLambdaAuthorizer("KeysAndTokens", authorizer, {
    responseTypes: [HttpLambdaResponseType.SIMPLE],
    identitySource: ["$request.header.Authorization"],
    resultsCacheTtl: Duration.seconds(0),
  });
}
