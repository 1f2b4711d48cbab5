import { playThread } from '../../state/testing/scenario.js'
import { ALL_SCENARIOS } from './shootdown-scenarios.js'

playThread(ALL_SCENARIOS)
