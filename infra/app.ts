import { App } from 'aws-cdk-lib';
import { ponteApp } from '#infra/ponte-app.ts';

ponteApp(new App());
