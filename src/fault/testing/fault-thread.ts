import { playThread } from '../../state/testing/scenario.js'
import { ALL_SCENARIOS } from './fault-scenarios.js'

playThread(ALL_SCENARIOS)
