import { App } from 'aws-cdk-lib';
import { PonteStack } from '#infra/ponte-stack.ts';

const app = new App();
new PonteStack(app, 'Ponte', { description: 'Ponte: photo-z tables from upload to federated dataset' });
