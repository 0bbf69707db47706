"""Operations backend of Paimon Prime Fund, in four layers: gateway, application, infrastructure, domain."""
