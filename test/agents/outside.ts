import {
  destinationsOf,
  HttpSink,
  type Script,
  ScriptedModel,
  TestCa,
  type TestingDestinations,
} from '@cordon/testkit';

/** The value behind the placeholder. Long and odd, so that a search for it finds nothing else. */
export const modelKey = 'sk-cordon-e2e-5f1c0b7e9a4d4c3c8d21-secret';

/**
 * The world as the agent may see it: a model provider, a host that is granted, and a host that is not. The forbidden
 * one exists, has a valid certificate and listens, so that only a decision can keep the agent from it.
 */
export class Outside implements AsyncDisposable {
  readonly model: ScriptedModel;
  readonly granted: HttpSink;
  readonly forbidden: HttpSink;
  readonly destinations: TestingDestinations;

  private constructor(model: ScriptedModel, granted: HttpSink, forbidden: HttpSink, ca: TestCa) {
    this.model = model;
    this.granted = granted;
    this.forbidden = forbidden;
    this.destinations = destinationsOf(
      {
        'api.anthropic.com': model.port,
        'api.openai.com': model.port,
        'generativelanguage.googleapis.com': model.port,
        'docs.example.com': granted.port,
        'evil.example.com': forbidden.port,
      },
      ca,
    );
  }

  static async start(script: Script): Promise<Outside> {
    const ca = new TestCa();
    const tls = ca.issue([
      'api.anthropic.com',
      'api.openai.com',
      'generativelanguage.googleapis.com',
      'docs.example.com',
      'evil.example.com',
    ]);
    const model = await ScriptedModel.start({ script, keys: [modelKey], tls });
    const granted = await HttpSink.start({ tls, answer: () => ({ status: 200, body: 'the granted page\n' }) });
    const forbidden = await HttpSink.start({ tls });
    return new Outside(model, granted, forbidden, ca);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.model[Symbol.asyncDispose]();
    await this.granted[Symbol.asyncDispose]();
    await this.forbidden[Symbol.asyncDispose]();
  }
}
